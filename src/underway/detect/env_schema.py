"""What a repository says its variables are: code, `.env.example`, compose, Dockerfiles, CI, files of other hosts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from underway.detect.env_inventory import every_read
from underway.detect.env_names import PUBLIC_SECRETS, is_password, is_secret_key, is_secret_like
from underway.detect.index import Index
from underway.detect.model import Evidence
from underway.detect.needs import Variable, gather, places
from underway.detect.yamlish import Node, read_yaml
from underway.manifest.model import EnvVar
from underway.terms.environment import Read
from underway.terms.tree import Tree

_NAME = r"[A-Za-z_][A-Za-z0-9_]{1,100}"
_COMPOSE = r"(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml"
_FILLED = re.compile(rf"\$\{{({_NAME})(?:(:?[-?+])[^}}]{{0,500}})?\}}")
_OF_SERVICES = re.compile(
    r"postgres|pgvector|mysql|mariadb|redis|valkey|mongo|rabbitmq|traefik|nginx|caddy|minio|mailhog|mailpit"
)
_MOST_FILES = 12


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
    for name, at, must in [
        *_compose(index),
        *_dockerfiles(index),
        *_examples(index),
        *_workflows(index),
        *_hosts(index),
    ]:
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
    is_secret = is_secret_key(name) or is_password(name) or is_secret_like(name)
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


_Found = Iterator[tuple[str, Evidence, bool]]
"""A name, where it stands, whether the file itself refuses to go on without it."""


def _compose(index: Index) -> _Found:
    for path in index.matching(_COMPOSE)[:_MOST_FILES]:
        text = index.text(path)
        for service in list(read_yaml(text).at("services").entries.values())[:60]:
            image = service.at("image").text
            if _OF_SERVICES.search(image) and not service.at("build").is_there:
                continue
            yield from _block(path, service.at("environment"))
            for value in [
                *service.at("environment").entries.values(),
                *service.at("environment").items,
                service.at("command"),
            ]:
                for found in _FILLED.finditer(value.text):
                    yield found[1], Evidence(path, value.line), (found[2] or "").endswith("?")


def _block(path: str, node: Node) -> _Found:
    for name, value in node.entries.items():
        if re.fullmatch(_NAME, name):
            yield name, Evidence(path, value.line), False
    for item in node.items:
        name = item.text.partition("=")[0].strip()
        if re.fullmatch(_NAME, name):
            yield name, Evidence(path, item.line), False


def _dockerfiles(index: Index) -> _Found:
    """What is set for the app or asked for at its build, not what one stage hands the next."""
    for path in index.matching(r"dockerfile([.-][\w.-]+)?|[\w-]+\.dockerfile")[:_MOST_FILES]:
        for number, line in enumerate(index.text(path).split("\n")[:2000], 1):
            if found := re.match(rf"\s*(?:ENV|ARG)\s+({_NAME})(?=[\s=]|$)", line):
                yield found[1], Evidence(path, number), False


_EXAMPLE = (
    r"\.?env[._-](?:example|sample|template|dist)[\w.-]*|[\w-]+\.env\.(?:example|sample|template|dist)|"
    r"example\.env|sample\.env"
)


def _examples(index: Index) -> _Found:
    for path in index.matching(_EXAMPLE)[:_MOST_FILES]:
        for number, line in enumerate(index.text(path).split("\n")[:1000], 1):
            if found := re.match(rf"\s*(?:export\s+)?({_NAME})\s*=", line):
                yield found[1], Evidence(path, number), False


_SECRET = re.compile(rf"\$\{{\{{\s*secrets\.({_NAME})\s*\}}\}}")
_OF_GITHUB = ("GITHUB_", "ACTIONS_", "RUNNER_")


def _workflows(index: Index) -> _Found:
    """Secrets that GitHub's and GitLab's pipelines hand on by name."""
    for path in [each for each in index.paths if re.match(r"\.github/workflows/[\w.-]+\.ya?ml$", each)][:_MOST_FILES]:
        for number, line in enumerate(index.text(path).split("\n")[:3000], 1):
            for found in _SECRET.finditer(line):
                if not found[1].startswith(_OF_GITHUB):
                    yield found[1], Evidence(path, number), False


def _hosts(index: Index) -> _Found:
    """What the files of other hosts say: Heroku's app.json, Render's render.yaml, Fly's fly.toml, Procfile."""
    for path in index.named("app.json")[:2]:
        try:
            body = json.loads(index.text(path) or "{}")
        except (ValueError, RecursionError):
            continue
        env = body.get("env") if isinstance(body, dict) else None
        for name, says in env.items() if isinstance(env, dict) else ():
            if isinstance(name, str) and re.fullmatch(_NAME, name):
                is_required = isinstance(says, dict) and says.get("required") is True
                yield name, index.line(path, f'"{name}"'), is_required and "value" not in says
    for path in index.named("render.yaml", "render.yml")[:2]:
        for service in read_yaml(index.text(path)).at("services").items[:40]:
            for item in service.at("envVars").items:
                if re.fullmatch(_NAME, name := item.at("key").text):
                    yield name, Evidence(path, item.line), False
    for path in index.named("fly.toml")[:2]:
        is_env = False
        for number, line in enumerate(index.text(path).split("\n")[:1000], 1):
            is_env = line.strip() == "[env]" if line.lstrip().startswith("[") else is_env
            if is_env and (found := re.match(rf"""\s*["']?({_NAME})["']?\s*=""", line)):
                yield found[1], Evidence(path, number), False
    for path in index.named("Procfile")[:2]:
        for number, line in enumerate(index.text(path).split("\n")[:200], 1):
            for found in re.finditer(r"\$\{?([A-Z][A-Z0-9_]{1,100})", line):
                yield found[1], Evidence(path, number), False
