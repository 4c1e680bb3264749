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
                "make a project of it, beside it, and deploy that one: underway deploy ../mysite",
                _make_project(index),
            )
            return True
    return _lacks_a_module(index, code, django, notes)


def _make_project(index: Index) -> str:
    """The command that makes a project of the template in this folder: `django-admin` fills in files of Python alone
    unless it is told the others (docs.djangoproject.com/en/stable/ref/django-admin/#startproject)."""
    blank = [path for path in index.paths if not path.endswith(".py") and "{{" in index.text(path)]
    blank = [path for path in blank if re.search(r"\{\{\s*project_name", index.text(path))]
    names = [path.rpartition("/")[2] for path in blank]
    ends = sorted({name.rpartition(".")[2] for name in names if "." in name[1:]} - {"html", "txt", "md"})
    whole = sorted({name for name in names if "." not in name[1:] and re.fullmatch(r"[\w.-]+", name)})
    words = ["py", *(end for end in ends if re.fullmatch(r"\w+", end))]
    named = f" --name {','.join(whole)}" if whole else ""
    return f"mkdir ../mysite && django-admin startproject mysite ../mysite --template . -e {','.join(words)}{named}"


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
                    f"write {wanted} so that it takes what is secret from the environment, and commit it in spite of "
                    ".gitignore",
                    f"cp {example} {wanted} && git add -f {wanted}" if example else f"git add -f {wanted}",
                )
                is_lacking = True
    return is_lacking
