"""What a manifest says of builds: `[build]` and the tables below it, and what a build holds for those it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from underway.manifest import words
from underway.manifest.env_keys import EnvVar as EnvVar  # the word is part of this model
from underway.manifest.keys import Key, Table
from underway.manifest.monitor import AlertKeys as AlertKeys
from underway.manifest.monitor import MonitorKeys as MonitorKeys
from underway.manifest.monitor import ObjectiveKeys as ObjectiveKeys
from underway.manifest.release import Limits as Limits
from underway.manifest.release import ReleaseKeys as ReleaseKeys
from underway.manifest.smoke import Journey as Journey
from underway.manifest.smoke import Smoke as Smoke
from underway.manifest.spending import BudgetKeys as BudgetKeys
from underway.manifest.spending import KeepAwakeKeys as KeepAwakeKeys

LISTEN_MODULE = ".underway/listen.cjs"
"""What every build with `[build.node]` holds in that folder: loaded by `node --require`, a server listens on 127.0.0.1,
and on `$PORT` in place of the port that `UNDERWAY_FIXED_PORT` names."""
LISTEN_SCRIPT = ".underway/listen.py"
"""What every build with `[build.python]` holds in that folder: `python .underway/listen.py SCRIPT` runs a script whose
first port becomes `$PORT` on 127.0.0.1."""

ORIGIN_MODULE = ".underway/origin.cjs"
"""Beside it: `node .underway/origin.cjs FOLDER [HOST:PORT …]` goes over the pages built into FOLDER, and puts their
own address in place of those of `PAGE_HOST` and of each HOST:PORT."""

PAGE_HOST = "same-origin.invalid"
"""Stands for the page's own host in what a front end has baked in; `.invalid` is nobody's (RFC 6761, 6.4)."""

TABLES_SCRIPT = ".underway/tables.sh"
"""What every build with either holds at its root: `sh .underway/tables.sh FILE …` makes the tables of an empty database
from files of SQL."""

KIT_ENV_MODULE = ".underway/kit_env.cjs"
"""Beside them: run on the sources of SvelteKit before they are built, it leaves what they read of the private
environment to the start of the server."""


@dataclass(frozen=True)
class PythonBuild:
    """`[build.python]`: `manager` is uv | pip | poetry | pdm | pipenv | setuptools; `dir` holds its lock;
    `requirements` are the files pip installs; `version` is major.minor, empty for what the project accepts;
    `extra` are packages added to the environment because the lock lacks them (a server), `without` are left out of what
    pip installs; with `as_of` nothing newer than that day is installed."""

    manager: Annotated[str, Key("manager", words.PYTHON_MANAGER, '"uv"', "What installs the locked dependencies.")]
    dir: Annotated[str, Key("dir", words.TREE_PATH, '"backend"', "The folder of its lock or requirements.")] = "."
    requirements: Annotated[
        tuple[str, ...],
        Key("requirements", words.TREE_PATHS, '["requirements.txt"]', "The files `pip` installs, from the root."),
    ] = ()
    version: Annotated[
        str,
        Key("version", words.PYTHON_VERSION, '"3.12"', "The interpreter; empty takes one that the project accepts."),
    ] = ""
    extra: Annotated[
        tuple[str, ...],
        Key("extra", words.PACKAGES, '["gunicorn"]', "Packages added because the lock lacks them, a server for one."),
    ] = ()
    without: Annotated[
        tuple[str, ...],
        Key(
            "without",
            words.PACKAGES,
            '["pywin32"]',
            "Packages left out of what `pip` installs: of another system, or for a database that is not used.",
        ),
    ] = ()
    groups: Annotated[
        tuple[str, ...],
        Key("groups", words.GROUPS, '["prod"]', "Dependency groups or extras installed besides the main ones."),
    ] = ()
    as_of: Annotated[
        str,
        Key(
            "as_of",
            words.DAY,
            '"2024-08-25"',
            "Where no lock says the versions: nothing published after this day is installed.",
        ),
    ] = ""


@dataclass(frozen=True)
class NodeBuild:
    """`[build.node]`: `manager` is npm | pnpm | yarn | bun; `script` is the script that builds, or empty."""

    manager: Annotated[str, Key("manager", words.NODE_MANAGER, '"npm"', "What installs from the lockfile.")]
    dir: Annotated[str, Key("dir", words.TREE_PATH, '"frontend"', "The folder of `package.json`.")] = "."
    script: Annotated[str, Key("script", words.SCRIPT, '"build"', "The script that builds; empty builds nothing.")] = ""
    development: Annotated[
        bool,
        Key(
            "development",
            words.FLAG,
            "true",
            "Development packages too, though nothing is built: a command of the app's own is among them.",
        ),
    ] = False
    as_of: Annotated[
        str,
        Key(
            "as_of",
            words.DAY,
            '"2024-08-25"',
            "Where no lock says the versions (`npm` alone can): nothing published after this day is installed.",
        ),
    ] = ""


@dataclass(frozen=True)
class BuildKeys:
    python: Annotated[
        PythonBuild | None, Table("python", PythonBuild, "The Python environment. Left out: none is made.")
    ] = None
    node: Annotated[
        NodeBuild | None, Table("node", NodeBuild, "Node packages and a front-end build. Left out: none.")
    ] = None
    front_end: Annotated[
        NodeBuild | None,
        Table("front_end", NodeBuild, "A second Node project, built after the first: pages beside a Node server."),
    ] = None
    commands: Annotated[
        tuple[str, ...],
        Key(
            "commands",
            words.COMMANDS,
            '["python manage.py collectstatic --noinput"]',
            "Shell lines run in the built tree after the installation, in this order.",
        ),
    ] = ()
    timeout_s: Annotated[
        float, Key("timeout", words.LONG, '"20m"', "A build that takes longer is ended and fails.")
    ] = 900.0
