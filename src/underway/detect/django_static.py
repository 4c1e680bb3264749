"""The files that Django serves as static ones: built, gathered, and where they lie."""

from __future__ import annotations

import re
import shlex

from underway.detect.django import Django, setting_at
from underway.detect.draft import Draft
from underway.detect.index import Index
from underway.detect.model import Evidence, Notes
from underway.detect.python_project import PythonProject
from underway.detect.starts import Starts
from underway.manifest.model import Static

_MAKES = re.compile(
    r"\bmanage(?:\.py)?\s+(tailwind(?:\s+--[\w-]+)*\s+(?:build|download_cli)|compilescss|compilejsi18n|collectstatic_js_reverse)\b"
)
"""Commands that write static files from what is in the tree, and ask no database."""


def _made_before(starts: Starts, project: PythonProject | None) -> list[tuple[str, Evidence]]:
    """What a Dockerfile of the repository has made of its sources before the static files are gathered."""
    out: dict[str, Evidence] = {}
    for each in starts.dockerfiles:
        for run, line in each.runs:
            for found in _MAKES.finditer(run):
                if not found[1].startswith("tailwind") or (project is not None and project.has("django-tailwind-cli")):
                    out.setdefault(" ".join(found[1].split()), Evidence(each.path, line))
    return list(out.items())


def _gathering(starts: Starts) -> str:
    """How a Dockerfile of the repository gathers them beyond the usual: without it a file may be missing."""
    for each in starts.dockerfiles:
        for run, _ in each.runs:
            found = re.search(r"\bcollectstatic\b([^;&|]*)", run)
            if found:
                flags = re.findall(r"(?<!\S)(--no-default-ignore|--ignore[= ][\w.*/-]+|-i [\w.*/-]+)(?!\S)", found[1])
                return "".join(f" {shlex.join(flag.split())}" for flag in flags)
    return ""


def django_static(
    index: Index, starts: Starts, project: PythonProject | None, django: Django, draft: Draft, notes: Notes
) -> None:
    """Fill `draft` with what builds and gathers the static files, and where the proxy finds them."""
    if not django.has_static_root:
        return
    if django.static_root_if:
        notes.claim(
            "static",
            f"collectstatic is not run: STATIC_ROOT is set only if {django.static_root_if[:80]}",
            setting_at(index, django, "STATIC_ROOT"),
        )
        return
    manage = "python manage.py" if not django.folder else f"cd {shlex.quote(django.folder)} && python manage.py"
    for command, at in _made_before(starts, project):
        draft.commands.append(f"{manage} {command}")
        notes.claim("static", f"{command} makes styles or scripts first, as the Dockerfile does", at, "build.commands")
    draft.commands.append(f"{manage} collectstatic --noinput{_gathering(starts)}")
    where = setting_at(index, django, "STATIC_ROOT")
    notes.claim("static", "collectstatic gathers the static files", where, "build.commands")
    if django.compresses_offline:
        draft.commands.append(f"{manage} compress --force")
        at = setting_at(index, django, "COMPRESS_OFFLINE")
        notes.claim("static", "django-compressor makes its files before the app starts", at, "build.commands")
    if project is not None and project.has("whitenoise"):
        notes.claim("static", "whitenoise serves them", project.where("whitenoise"))
    elif django.static_root:
        draft.static = Static(dir=django.static_root, url=django.static_url)
        notes.claim(
            "static",
            f"{django.static_url} is served from {django.static_root}",
            where,
            "static",
        )
