"""docs/environment.md: the variables Underway reads, gives to apps, and marks processes with."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from typing import NamedTuple

from tools.reference.source import Source

from underway.drivers.builds.environment import _NAMES, _PREFIXES
from underway.terms.home import Home
from underway.terms.place import TRAITS
from underway.wiring.home import DEFAULT_HTTP_PORT, find_home

OWN = re.compile(r"UNDERWAY_[A-Z_]+[A-Z]")


class Variable(NamedTuple):
    """A variable: what it is when it is not set, and what it means."""

    default: str
    says: str


def _https_ports() -> str:
    """The HTTPS port that goes with each HTTP port, as the source chooses it."""
    chosen = {
        port: find_home({"UNDERWAY_HOME": "/nonexistent", "UNDERWAY_HTTP_PORT": str(port)}).https_port
        for port in (DEFAULT_HTTP_PORT, 80)
    }
    special = [f"`{https}` when the HTTP port is {port}" for port, https in chosen.items() if https != port + 1]
    return ", ".join([*special, "else the HTTP port plus one"])


def _places() -> dict[str, Variable]:
    """The tokens and addresses of the places that `env sync` writes to."""
    out: dict[str, Variable] = {}
    for traits in TRAITS.values():
        for token in traits.tokens:
            out[token] = Variable("the vault's value of that name", f"The token for `{traits.shape}`.")
        if traits.url_setting:
            default = f"`{traits.url}`" if traits.url else "the cluster this runs in"
            out[traits.url_setting] = Variable(default, f"Where `{traits.shape}` is asked: https, or this machine.")
    return out


READ: Mapping[str, Variable] = {
    "UNDERWAY_HOME": Variable(
        "`/var/lib/underway` for root, else `$XDG_DATA_HOME/underway` (`~/.local/share/underway`)",
        "The folder of everything Underway keeps. Two homes on one machine do not disturb each other.",
    ),
    "UNDERWAY_HTTP_PORT": Variable(
        f"the port this home was last served on, at first `{DEFAULT_HTTP_PORT}`", "The port of the proxy for HTTP."
    ),
    "UNDERWAY_HTTPS_PORT": Variable(
        _https_ports(),
        "The port of the proxy for HTTPS, opened when an app turns on `tls`.",
    ),
    "XDG_DATA_HOME": Variable("`~/.local/share`", "Where the default home lies, for users other than root."),
    "XDG_RUNTIME_DIR": Variable(
        f"`{Home.short_run}`", "Where unix sockets go when the home's path is too long for a socket's address."
    ),
    "UNDERWAY_PASSPHRASE_FILE": Variable(
        "`$CREDENTIALS_DIRECTORY/underway-passphrase`",
        "The file with the passphrase of the vault's key, where that key is behind one.",
    ),
    "CREDENTIALS_DIRECTORY": Variable("", "Where systemd puts credentials (`LoadCredential=`)."),
    "NO_COLOR": Variable("", "Set to anything: no colours."),
    "FORCE_COLOR": Variable("", "Set to anything: colours also where the output is no terminal."),
    "TERM": Variable("", "`dumb` or empty: no colours and no line that is drawn over."),
    "TZ": Variable("", "The time zone, passed on to apps."),
    "PATH": Variable("", "Where interpreters, Node, git, PostgreSQL, Redis and Caddy are looked for."),
    "HOME": Variable("", "Where pyenv and uv keep interpreters, when the next two are not set."),
    "PYENV_ROOT": Variable("`~/.pyenv`", "Where interpreters made by pyenv are."),
    "UV_PYTHON_INSTALL_DIR": Variable("`~/.local/share/uv/python`", "Where interpreters installed by uv are."),
    **_places(),
    "KUBECONFIG": Variable(
        "`~/.kube/config`", "Files, between colons, the first of which says where a cluster is and who asks it."
    ),
    "KUBERNETES_CA_FILE": Variable("the cluster's own, else the system's", "Who signed the API server's certificate."),
    "KUBERNETES_SERVICE_HOST": Variable("", "Set by a cluster in its pods: where its API server is."),
    "KUBERNETES_SERVICE_PORT": Variable("443", "Set by a cluster in its pods: the port of its API server."),
}
GIVEN: Mapping[str, str] = {
    "PORT": "The port of this instance, for `web` only. Listen on `127.0.0.1:$PORT`.",
    "HOST": "`127.0.0.1`.",
    "UNDERWAY_APP": "The app's name.",
    "UNDERWAY_RELEASE": "The release's id.",
    "UNDERWAY_FIXED_PORT": "Set by a detected command of a server that insists on a port: that number, or for Node "
    "`first`. `.underway/listen.cjs` or `.underway/listen.py` then gives it `PORT` instead.",
    "UNDERWAY_POSTGRES_PORT": "Given to a Node app that is told no port of its database, or demands TLS of "
    "it: `.underway/listen.cjs` takes what connects to port 5432 of this machine there, in the clear.",
    "UNDERWAY_REDIS_PORT": "The same for port 6379 and Redis.",
    "UNDERWAY_TRIAL": "`1` in an instance that is tried on restored data and that no user reaches.",
    "UNDERWAY_MIGRATE_TO": "For `[migrate] back` alone: the migration to go back to, as its tool calls it.",
    "UNDERWAY_ENVIRONMENT": "The environment it was deployed for: `production` unless `--env` named another.",
    "PATH": "The release's virtual environment, its `node_modules/.bin`, then the system's folders.",
    "VIRTUAL_ENV": "The release's virtual environment, when it has one.",
    "HOME": "The app's folder in the home.",
    "LANG": "`C.UTF-8`.",
    "TZ": "As the agent has it, when it has it.",
    "PYTHONUNBUFFERED": "`1`, so that logs come line by line.",
    "NODE_ENV": "`production`.",
}
MARKS: Mapping[str, str] = {
    "UNDERWAY_HOME_ID": "The home a process belongs to: its processes are found by it after a crash.",
    "UNDERWAY_INSTANCE": "The instance it is.",
    "UNDERWAY_TASK": "The task (a build command, a migration) it is.",
    "UNDERWAY_SERVER": "The server it is: `proxy`, `postgres`, `redis`.",
    "UNDERWAY_AGENT": "On the agent: the id of its home.",
    "UNDERWAY_AGE_IDENTITY": "The key that opens a backup, for the one program that decrypts it.",
    "UNDERWAY_SPAWN": "A random word per start: it tells this life of an instance or task from any other.",
}
KEPT: Mapping[str, str] = {
    "UNDERWAY_DATABASE_PASSWORD": "The name under which the vault keeps the password of the app's database role.",
    "UNDERWAY_LOOK_PASSWORD": "The name under which the vault keeps the password of the login that only reads.",
    "UNDERWAY_MIGRATE_PASSWORD": "The name under which the vault keeps the password of the login that migrates.",
    "UNDERWAY_BACKUP_IDENTITY": "The name under which the vault keeps the key that opens the app's encrypted backups.",
    "UNDERWAY_CACHE_PASSWORD": "The name under which the vault keeps the password of the app's Redis.",
}


def own_names(source: Source) -> set[str]:
    """Every `UNDERWAY_…` name in the source, in whatever text it stands."""
    found: set[str] = set()
    for module in source.modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(OWN.findall(node.value))
    return found


def names_read(source: Source) -> set[str]:
    """Every name that is looked up in `environ`, as `environ.get("X")`, `environ["X"]` or `"X" in environ`."""
    found: set[str] = set()
    for module in source.modules:
        for node in ast.walk(module.tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=place, attr="get"), args=[ast.Constant(value=str() as name), *_]
                ):
                    pass
                case ast.Subscript(value=place, slice=ast.Constant(value=str() as name)):
                    pass
                case ast.Compare(left=ast.Constant(value=str() as name), comparators=[place]):
                    pass
                case _:
                    continue
            if isinstance(place, ast.Name | ast.Attribute) and ast.unparse(place) in ("environ", "os.environ"):
                found.add(name)
    return found


def documented() -> set[str]:
    return {*READ, *GIVEN, *MARKS, *KEPT}


def environment_md(source: Source) -> str:
    """The page. Raises `ValueError` when the source names a variable that is not on it, or no longer names one."""
    names = own_names(source)
    if missing := sorted((names | names_read(source)) - documented()):
        raise ValueError(f"variables without words in tools/reference/variables.py: {', '.join(missing)}")
    if gone := sorted(name for name in documented() if OWN.fullmatch(name) and name not in names):
        raise ValueError(f"variables that the source no longer names: {', '.join(gone)}")
    out = [_HEAD, "", "## What Underway reads", "", "| variable | not set | meaning |", "|---|---|---|"]
    out += [f"| `{name}` | {variable.default} | {variable.says} |" for name, variable in READ.items()]
    out += ["", "## What build commands get", "", _BUILDS, ""]
    out += [", ".join(f"`{name}`" for name in sorted(_NAMES)) + ",", "and every name that begins with "]
    out[-1] += ", ".join(f"`{each}`" for each in _PREFIXES) + "."
    out += ["", "## What an app gets", "", _APPS, "", "| variable | meaning |", "|---|---|"]
    out += [f"| `{name}` | {says} |" for name, says in GIVEN.items()]
    out += ["", "## Marks on processes", "", _MARKS, "", "| variable | meaning |", "|---|---|"]
    out += [f"| `{name}` | {says} |" for name, says in MARKS.items()]
    out += ["", "## Names in the vault", "", _KEPT, "", "| name | meaning |", "|---|---|"]
    out += [f"| `{name}` | {says} |" for name, says in KEPT.items()]
    return "\n".join(out) + "\n"


_HEAD = inspect.cleandoc(
    """
    # Environment variables

    <!-- Made by `python -m tools.reference` from tools/reference/variables.py, which is checked against the source. -->

    The agent has the environment of the command that started it. To change a variable, stop the agent
    (`underway agent stop`) and start it again with the new one; apps go on running meanwhile.
    """
)
_BUILDS = (
    "Where packages come from, and nothing that is somebody's secret. These are passed on from the agent's own "
    "environment to build commands, never to the app:"
)
_APPS = (
    "The processes of an app and its migration get these, the variables of the manifest's `[env]`, and those of its "
    "services (`DATABASE_URL`, `PGHOST` … and `REDIS_URL`: see [the manifest](manifest.md)). They get nothing else of "
    "the agent's environment."
)
_MARKS = "Underway sets these on the processes it starts and finds them again by them. Do not set them yourself."
_KEPT = "No process gets these. An app's secrets are encrypted in `apps/APP/vault` of the home."
