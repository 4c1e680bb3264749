"""Drivers of PostgreSQL that speak with one host alone, over HTTP or a WebSocket, and with no server of one's own."""

from __future__ import annotations

import re

from underway.detect.env_names import postgres_part
from underway.detect.index import Index
from underway.detect.model import Evidence, Notes
from underway.detect.variables import Variable
from underway.manifest.env_keys import EnvVar

_HOSTED = re.compile(
    r"""(?m)^(?!\s*(?://|\*))[^\n]{0,200}(?:\bfrom|\brequire\(|\bimport\()\s*['"]"""
    r"""(@vercel/postgres|@neondatabase/serverless|drizzle-orm/(?:neon-http|neon-serverless|vercel-postgres))['"]"""
)
"""@vercel/postgres is Neon's driver by another name (neon.tech/docs/serverless/serverless-driver)."""
_ANY_SERVER = re.compile(
    r"""['"](?:pg|postgres|pg-promise|drizzle-orm/(?:postgres-js|node-postgres)|@prisma/client|knex|sequelize|typeorm)['"]"""
    r"""|\bwsProxy\b|\bfetchEndpoint\b"""
)
_MIGRATES = re.compile(r"(?:^|/)\w*migrat\w*[./]|drizzle\.config")


def hosted_postgres(
    index: Index, sources: list[str], variables: dict[str, Variable], env: dict[str, EnvVar], notes: Notes
) -> bool:
    """Ask for the address where all that the app reads its database with speaks with Neon alone; return whether."""
    texts = {path: index.text(path) for path in sources if not _MIGRATES.search(path)}
    texts = {path: text for path, text in texts.items() if "/migrator" not in text}
    at = next(
        (Evidence.at(p, text, found.start(1)) for p, text in texts.items() if (found := _HOSTED.search(text))), None
    )
    if at is None or any(_ANY_SERVER.search(text) for text in texts.values()):
        return False
    named = [name for name in variables if postgres_part(name) == "url"]
    name = next(iter(named), "POSTGRES_URL" if "vercel" in index.text(at.path) else "DATABASE_URL")
    for each in (*named, name):
        variables.pop(each, None)
    env[name] = EnvVar(required=True, secret=True)
    notes.comments[f"env.{name}"] = f"Neon: only you know its address ({at})"
    notes.problem(
        "detect.env-missing",
        at,
        f"the app needs Neon at {name}, and Underway does not provide Neon",
        f'add to underway.toml, under [env]: {name} = "postgresql://user:password@host/name"',
        f"underway env set {name}",
    )
    return True
