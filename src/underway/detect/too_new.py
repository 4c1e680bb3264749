"""Packages that a pinned one leaves open, of which today's version breaks it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from underway.detect.draft import Draft
from underway.detect.index import Index, join
from underway.detect.model import Notes
from underway.detect.python_project import PythonProject
from underway.manifest.build import PythonBuild


@dataclass(frozen=True)
class _Break:
    """With `package` pinned below `below`, `needs` has to hold for what it depends on."""

    package: str
    below: tuple[int, ...]
    needs: str
    since: tuple[int, ...] = ()
    """The first version that leaves it open."""
    brought_by: str = ""
    """What alone brings the package that is held back, where `package` itself does not."""


_BREAKS = (
    _Break("flask", (2, 3), "werkzeug<3"),  # github.com/pallets/werkzeug 3.0: url_quote is removed
    _Break("flask", (2, 0), "jinja2<3.1"),  # jinja 3.1: escape is removed
    _Break("flask", (2, 0), "itsdangerous<2.1"),  # itsdangerous 2.1: json is removed
    _Break("flask", (2, 0), "markupsafe<2.1"),  # markupsafe 2.1: soft_unicode is removed
    _Break("flask", (2, 0), "werkzeug<2.1"),
    _Break("flask-sqlalchemy", (3, 0), "sqlalchemy<2"),  # flask-sqlalchemy 3.0 is the first for SQLAlchemy 2
    _Break("flask-login", (0, 6, 3), "werkzeug<3"),  # flask-login 0.6.3: url_decode is replaced
    _Break("sanic", (21, 6), "uvicorn<0.14"),  # sanic holds websockets below 9, and uvicorn 0.14 asks for 9
    _Break("fastapi", (0, 118, 1), "pydantic<2.12", since=(0, 100)),  # fastapi 0.118.1 is the first for pydantic 2.12
    _Break("redis", (6, 1), "kombu<5.7", brought_by="celery"),  # kombu 5.7: its transport wants redis-py 6.1
)
_PASSLIB = re.compile(r"passlib\[[\w,]*bcrypt|schemes\s*=\s*\[\s*['\"]bcrypt")


def hold_back(index: Index, project: PythonProject, draft: Draft, notes: Notes) -> None:
    """Hold back what requirements without a lock leave open and a pinned package cannot work with."""
    if draft.python is None or (project.manager != "pip" and project.is_locked):
        return
    held: dict[str, tuple[str, str]] = {}
    for each in _BREAKS:
        name = re.split(r"[<>=]", each.needs)[0]
        pinned = project.pins.get(each.package, "")
        if name in project.pins or not pinned[:1].isdigit() or not each.since <= _numbers(pinned) < each.below:
            continue
        if each.brought_by and not project.has(each.brought_by):
            continue
        held[name] = (each.needs, f"{each.package} {pinned}")
    if project.has("passlib") and "bcrypt" not in project.pins and _hashes_by_bcrypt(index, project):
        held["bcrypt"] = ("bcrypt<5", "passlib")  # bcrypt 5.0 refuses what passlib tries it with
    alchemy = project.has("sqlalchemy", "flask-sqlalchemy", "sqlmodel") and "sqlalchemy" not in project.pins
    if alchemy and project.has("psycopg2", "psycopg2-binary") and not project.has("psycopg"):
        held.setdefault("sqlalchemy", ("sqlalchemy<2.1", "psycopg2"))  # 2.1 takes psycopg for postgresql://
    if held:
        extra = (*draft.python.extra, *(needs for needs, _ in held.values()))
        draft.python = PythonBuild(**{**draft.python.__dict__, "extra": extra})
        for name, (needs, because) in held.items():
            says = f"{needs}: newer ones do not work with {because}, and nothing pins {name}"
            notes.claim("build", says, project.where(because.split()[0]), "build.python.extra")


def _hashes_by_bcrypt(index: Index, project: PythonProject) -> bool:
    named = (*project.requirements, join(project.folder, "pyproject.toml"))
    sources = [path for path in index.ending(".py") if "passlib" in index.text(path)]
    return any(_PASSLIB.search(index.text(path)) for path in (*named, *sources))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
