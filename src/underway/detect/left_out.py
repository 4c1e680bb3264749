"""Packages that requirements name and this app cannot use here: of another system, or for another database."""

from __future__ import annotations

import ast
import re

from underway.detect.django import Django
from underway.detect.draft import Draft
from underway.detect.index import Index
from underway.detect.model import Evidence, Notes
from underway.detect.python_code import PythonCode
from underway.detect.python_project import PythonProject
from underway.manifest.build import PythonBuild

_OF_WINDOWS = ("pywin32", "pypiwin32", "twisted-iocpsupport", "pywinpty", "windows-curses", "pywinauto", "wmi")
_OF_MACS = ("pyobjc", "pyobjc-core", "pyobjc-framework-cocoa", "macfsevents")
_MYSQL = "mysqlclient"
"""It has no wheels for Linux: building it asks for the headers of MySQL's C library (pypi.org/project/mysqlclient)."""


def leave_out(
    index: Index, code: PythonCode, project: PythonProject | None, django: Django | None, draft: Draft, notes: Notes
) -> None:
    """Leave out of what pip installs what only another system has, as `pip freeze` of one writes it down, and the
    client of a database that Django's settings do not name."""
    if project is None or project.manager != "pip" or draft.python is None or not project.requirements:
        return
    without: list[str] = []
    for name in (*_OF_WINDOWS, *_OF_MACS):
        at = project.names.get(name)
        if at is None or ";" in index.text(at.path).split("\n")[max(at.line - 1, 0)]:
            continue
        system = "Windows" if name in _OF_WINDOWS else "macOS"
        without.append(name)
        notes.claim("build", f"{name} is left out: it is for {system} alone", at, "build.python.without")
    if django is not None and project.has(_MYSQL) and not _names_mysql(index, code, django):
        without.append(_MYSQL)
        says = f"{_MYSQL} is left out: the settings in use name no MySQL, and nothing imports it"
        notes.claim("build", says, project.where(_MYSQL), "build.python.without")
    if without:
        draft.python = PythonBuild(**{**draft.python.__dict__, "without": tuple(without)})


_MOST_SOURCES = 2_000
_IMAGES = re.compile(r"\b(?:models\.)?ImageField\(")


def add_pillow(index: Index, project: PythonProject | None, draft: Draft, notes: Notes) -> None:
    """Pillow, without which Django refuses models with an ImageField (docs.djangoproject.com, fields.E210), where the
    requirements forgot it: the author's machine had it."""
    if project is None or draft.python is None or project.brings("pillow", "wagtail", "pillow-simd"):
        return
    for path in index.ending(".py")[:_MOST_SOURCES]:
        if "migrations/" in path or "models" not in path:
            continue
        text = index.text(path)
        if "models" in text and (found := _IMAGES.search(text)):
            extra = (*draft.python.extra, "pillow")
            draft.python = PythonBuild(**{**draft.python.__dict__, "extra": extra})
            says = "pillow is added: a model has an ImageField, and the project's own dependencies lack it"
            notes.claim("build", says, Evidence.at(path, text, found.start()), "build.python.extra")
            return


_IMPORTED = re.compile(r"^[ \t]*(?:import|from)[ \t]+MySQLdb\b", re.MULTILINE)


def _names_mysql(index: Index, code: PythonCode, django: Django) -> bool:
    for path in django.files:
        file = code.files.get(path)
        for node in file.nodes if file is not None else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "mysql" in node.value.lower():
                return True
    return any(_IMPORTED.search(index.text(path)) for path in index.ending(".py")[:_MOST_SOURCES])
