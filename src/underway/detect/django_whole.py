"""Whether a Django project is whole: templates of projects and files that git ignores leave something out."""

from __future__ import annotations

import ast
import re

from underway.detect.django import Django
from underway.detect.index import Index, folder_of, join
from underway.detect.model import Evidence, Notes
from underway.detect.python_code import PythonCode

_BLANK = re.compile(r"""['"][\w.]*\{\{\s*(?:project_name|cookiecutter\.\w+)\s*\}\}""")
_EXAMPLES = (".default", ".example", ".sample", ".template", ".dist")


def not_deployable(index: Index, code: PythonCode, django: Django, notes: Notes) -> bool:
    """Say what the repository lacks that no deploy can give; return whether it lacks anything."""
    modules = [join(django.folder, module.replace(".", "/") + ".py") for module in (django.wsgi, django.asgi) if module]
    for path in (join(django.folder, "manage.py"), *modules):
        found = _BLANK.search(text := index.text(path))
        if found:
            notes.problem(
                "detect.template",
                Evidence.at(path, text, found.start()),
                "this is a template for new projects: the project's name is filled in when one is made of it",
                "make a project of it and deploy that one",
                "django-admin startproject --template PATH/TO/THIS NAME",
            )
            return True
    return _lacks_a_module(index, code, django, notes)


def _lacks_a_module(index: Index, code: PythonCode, django: Django, notes: Notes) -> bool:
    """A module that the settings cannot do without, and that .gitignore keeps out of the repository."""
    ignored = {line.strip().rpartition("/")[2] for line in index.text(".gitignore").split("\n")[:1000]}
    is_lacking = False
    for path in django.files:
        file = code.files.get(path)
        for node in file.body if file is not None else ():
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            folder = django.folder
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
                folder = folder_of(path) if node.level else django.folder
            for name in names:
                wanted = join(folder, name.replace(".", "/") + ".py")
                short = wanted.rpartition("/")[2]
                if short not in ignored or index.has(wanted) or index.has(wanted.removesuffix(".py") + "/__init__.py"):
                    continue
                example = next((wanted + end for end in _EXAMPLES if index.has(wanted + end)), "")
                shown = f"; {example} shows what it holds" if example else ""
                notes.problem(
                    "detect.file-missing",
                    Evidence(path, node.lineno),
                    f"the settings import {name}, and .gitignore keeps {short} out of the repository{shown}",
                    f"take its values from the environment and commit {wanted}: remove its line from .gitignore",
                )
                is_lacking = True
    return is_lacking
