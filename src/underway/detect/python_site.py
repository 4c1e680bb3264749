"""Sites that a Python tool makes into pages: MkDocs, Sphinx, Pelican."""

from __future__ import annotations

import re
import shlex

from underway.detect.draft import Draft
from underway.detect.index import Index, cwd, folder_of, join
from underway.detect.model import Evidence, Notes
from underway.detect.python_project import PythonProject, normal
from underway.manifest.build import PythonBuild
from underway.manifest.model import Static

_OUT = "underway-site"
"""The folder that the pages are built into: no tool and no repository has one of that name."""


def draft_python_site(index: Index, projects: list[PythonProject], draft: Draft, notes: Notes) -> bool:
    """Fill `draft` with a site that is built once and served as files; return whether there is one."""
    for find in (_mkdocs, _pelican, _sphinx):
        found = find(index)
        if found is None:
            continue
        tool, command, evidence, packages = found
        files = [f for f in _requirements(index, evidence) if f]
        listed = {normal(n) for f in files for n in re.findall(r"^[A-Za-z0-9._-]+", index.text(f), re.MULTILINE)}
        asked = next((p for p in projects if p.folder == "" and p.brings(normal(packages[0]))), None)
        if asked is not None and not files:
            draft.python = PythonBuild(
                manager=asked.manager, requirements=asked.requirements, groups=asked.groups, extra=asked.extra
            )
        else:
            extra = tuple(p for p in packages if normal(p) not in listed)
            draft.python = PythonBuild(manager="pip", requirements=tuple(files), extra=extra)
        draft.commands.append(command)
        draft.static = Static(dir=_OUT)
        notes.claim("stack", f"a site built by {tool}", evidence, "static")
        what = ", ".join([*files, *draft.python.extra]) or draft.python.manager
        notes.claim("build", f"{tool} with {what}", evidence, "build.python")
        return True
    return False


def _requirements(index: Index, evidence: Evidence) -> list[str]:
    """The requirements file that is for the site."""
    folder = folder_of(evidence.path)
    names = ("docs/requirements.txt", "requirements-docs.txt", "requirements/docs.txt", "docs-requirements.txt")
    beside = join(folder, "requirements.txt")
    found = [name for name in (beside, *names) if index.has(name)]
    return found[:1]


def _mkdocs(index: Index) -> tuple[str, str, Evidence, tuple[str, ...]] | None:
    path = next((p for p in index.named("mkdocs.yml", "mkdocs.yaml") if "/" not in p), "")
    if not path:
        return None
    text = index.text(path)
    theme = re.search(r"^theme:[ \t]*(?:\n\s+name:[ \t]*)?['\"]?([\w-]+)", text, re.MULTILINE)
    themes = {"material": "mkdocs-material", "readthedocs": "", "mkdocs": ""}
    package = themes.get(theme[1], f"mkdocs-{theme[1]}") if theme else ""
    command = f"mkdocs build --config-file {shlex.quote(path)} --site-dir $PWD/{_OUT}"
    return "MkDocs", command, Evidence(path), ("mkdocs", package) if package else ("mkdocs",)


def _pelican(index: Index) -> tuple[str, str, Evidence, tuple[str, ...]] | None:
    if not index.has("pelicanconf.py"):
        return None
    settings = "publishconf.py" if index.has("publishconf.py") else "pelicanconf.py"
    command = f"pelican content --settings {settings} --output {_OUT}"
    return "Pelican", command, Evidence(settings), ("pelican", "markdown")


def _sphinx(index: Index) -> tuple[str, str, Evidence, tuple[str, ...]] | None:
    """Documentation that is all there is: that of a library is a part of it, and its owner says so."""
    if index.named("pyproject.toml", "setup.py", "package.json"):
        return None
    for path in index.named("conf.py", aside=True):
        text = index.text(path)
        folder = folder_of(path)
        if folder.count("/") > 1 or not re.search(
            r"^extensions\s*=|^html_theme\s*=|^master_doc\s*=", text, re.MULTILINE
        ):
            continue
        theme = re.search(r"^html_theme\s*=\s*['\"]([\w-]+)", text, re.MULTILINE)
        own = ("alabaster", "classic", "default", "sphinxdoc", "nature", "basic")
        package = (normal(theme[1]),) if theme and theme[1] not in own else ()
        return "Sphinx", f"sphinx-build -b html {shlex.quote(cwd(folder))} {_OUT}", Evidence(path), ("sphinx", *package)
    return None
