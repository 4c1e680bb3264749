"""The way into an app's database for a person at a terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping

from underway.drivers.database.installation import installations
from underway.drivers.database.postgres import database_of, port_of
from underway.drivers.loopback_port import LOOPBACK
from underway.drivers.vault.age import AgeVault
from underway.drivers.vault.keys import Keys
from underway.steps.environment import DATABASE_PASSWORD
from underway.terms.home import Home
from underway.terms.problem import Problem, Refusal


def shell(app: str, home: Home, environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """psql and its whole environment, as the app's own role. Raises `Refusal` (`shell.no-database`)."""
    name = database_of(app)
    password = AgeVault(home, Keys(home, environ)).values(app).get(DATABASE_PASSWORD)
    port, found = port_of(home), installations()
    if password is None or port is None or not found:
        raise Refusal([_none(app)])
    env = {name: environ[name] for name in ("TERM", "HOME", "LANG", "PAGER", "EDITOR", "PATH") if name in environ}
    env |= {"PGHOST": LOOPBACK, "PGPORT": str(port), "PGUSER": name, "PGDATABASE": name, "PGAPPNAME": "underway shell"}
    return found[0].program("psql"), {**env, "PGPASSWORD": password.reveal()}


def become(program: str, arguments: tuple[str, ...], env: dict[str, str]) -> None:
    """Run it in our place. Does not return."""
    os.execve(program, [program, *arguments], env)  # noqa: S606 - psql, no shell


def _none(app: str) -> Problem:
    return Problem(
        code="shell.no-database",
        where=app,
        why=f"this home's PostgreSQL has no database of {app}",
        remedy="see which apps there are; a server of your own is reached with your own psql",
        command="underway status",
    )
