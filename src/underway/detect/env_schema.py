"""What a repository says its variables are: code, `.env.example`, compose, Dockerfiles, CI, files of other hosts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from underway.detect.env_files import named_in_files
from underway.detect.env_inventory import every_read
from underway.detect.env_names import PUBLIC_SECRETS, seems_secret
from underway.detect.index import Index
from underway.detect.variables import Variable, gather, places
from underway.manifest.env_keys import EnvVar
from underway.terms.environment import Read
from underway.terms.tree import Tree


@dataclass(frozen=True)
class Named:
    """Everything that names one variable. `variable` is what it seems to be; `files` are places beside the code:
    `.env.example:3`."""

    name: str
    variable: EnvVar
    reads: tuple[Read, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The first place, the code's own before the others."""
        return self.reads[0].where if self.reads else self.files[0]


def environment_of(tree: Tree) -> dict[str, Named]:
    """Every variable that the repository names, by name. Its own code, and files that hand variables to the app; those
    that only configure a database or a proxy beside it are left out, and what a system gives every process."""
    index = Index(tree)
    variables = gather(index, every_read(tree))
    reads: dict[str, list[Read]] = {}
    for read in places(variables):
        reads.setdefault(read.name, []).append(read)
    files: dict[str, list[str]] = {}
    required: set[str] = set()
    for name, at, must in named_in_files(index):
        if not _is_worth(name):
            continue
        required |= {name} if must else set()
        if str(at) not in files.setdefault(name, []):
            files[name].append(str(at))
    names = sorted({*reads, *files})
    return {
        name: Named(
            name,
            _seems(name, variables.get(name), is_required=name in required),
            tuple(reads.get(name, ())),
            tuple(files.get(name, ())),
        )
        for name in names
    }


_GIVEN = frozenset({"PORT", "HOME", "PATH", "PWD", "USER", "LANG", "TZ", "CI", "SHELL", "TERM", "HOSTNAME", "TMPDIR"})


def _is_worth(name: str) -> bool:
    return name not in _GIVEN and not name.startswith(("UNDERWAY_", "npm_", "PIP_", "UV_", "PYTHON", "DEBIAN_", "LC_"))


def _seems(name: str, one: Variable | None, *, is_required: bool) -> EnvVar:
    """Type, default and secrecy, of how the code uses it and what it is called."""
    is_secret = seems_secret(name)
    if one is None:
        return EnvVar(secret=is_secret, required=is_required)
    default = one.default or ""
    known = default or one.example or ""
    is_number = any(read.is_number for read in one.reads)
    is_list = any(read.is_list for read in one.reads)
    is_public_default = bool(PUBLIC_SECRETS.fullmatch(default))
    return EnvVar(
        type=_type(name, known, is_number=is_number, is_list=is_list),
        required=one.is_required,
        secret=is_secret and not is_number,
        default="" if is_secret or (is_public_default and is_secret) else default[:500],
    )


def _type(name: str, known: str, *, is_number: bool, is_list: bool) -> str:
    if is_list:
        return "list"
    if is_number:
        is_port = name.endswith("PORT") and (
            not known or (known.isascii() and known.isdigit() and 0 < int(known) < 65536)
        )
        return (
            "port" if is_port else "float" if re.fullmatch(r"-?\d*\.\d+", known) else "int" if _is_int(known) else "str"
        )
    if known.lower() in ("true", "false", "on", "off", "yes", "no"):
        return "bool"
    if re.match(r"https?://[^\s/]", known):
        return "url"
    if re.match(r"[a-z][a-z0-9+.-]{1,30}://[^\s/]", known) and name.endswith(("URL", "URI", "DSN")):
        return "dsn"
    return "str"


def _is_int(known: str) -> bool:
    return not known or re.fullmatch(r"-?\d{1,18}", known) is not None
