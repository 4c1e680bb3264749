"""Packages that the app imports as it starts and that the files of its packages leave out."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from underway.detect.django import Django
from underway.detect.index import Index, folder_of, join
from underway.detect.loose_packages import RENAMED, SAME, imports_of
from underway.detect.model import Evidence
from underway.detect.python_app import WebApp
from underway.detect.python_project import PythonProject, normal

_BROUGHT_BY = {
    "flask": "werkzeug jinja2 click itsdangerous markupsafe", "flask-wtf": "wtforms", "flask-admin": "wtforms",
    "fastapi": "starlette pydantic anyio", "fastapi-users": "passlib jwt", "sqlmodel": "pydantic sqlalchemy",
    "requests": "urllib3 certifi", "httpx": "anyio certifi h11", "uvicorn": "click h11",
    "pandas": "numpy pytz dateutil", "scipy": "numpy", "matplotlib": "numpy", "scikit-learn": "numpy",
    "torch": "numpy", "opencv-python": "numpy",
    "streamlit": "pandas numpy altair requests pydeck PIL tornado toml click pyarrow",
    "dash": "flask plotly werkzeug requests", "gradio": "fastapi numpy pandas pydantic httpx PIL",
    "django": "pytz", "alembic": "sqlalchemy", "databases": "sqlalchemy", "django-allauth": "requests jwt",
    "wagtail": "rest_framework bs4 requests PIL", "django-anymail": "requests", "flask-smorest": "marshmallow",
    "beanie": "pymongo motor pydantic", "ultralytics": "cv2 numpy PIL torch", "sentry-sdk": "urllib3 certifi",
    "celery": "pytz click dateutil", "boto3": "botocore dateutil urllib3", "aiohttp": "attr",
    "nicegui": "fastapi starlette httpx pydantic uvicorn", "openai": "httpx pydantic",
    "langchain": "pydantic requests numpy sqlalchemy", "litestar": "httpx anyio click rich",
    "quart": "werkzeug jinja2 click itsdangerous hypercorn aiofiles", "selenium": "urllib3 certifi",
    "typer": "click rich", "apscheduler": "pytz", "tortoise-orm": "pytz", "python-telegram-bot": "httpx pytz",
    "pymongo": "bson", "ipython": "matplotlib", "seaborn": "matplotlib pandas numpy", "plotly": "pandas numpy",
    "djoser": "rest_framework",
}  # fmt: skip
"""Modules that come with a package, of those that sources import though they ask for the package alone."""

_FIRST = re.compile(r"(^|/)(settings[\w]*|urls|models|views|admin|apps|serializers|forms|routing)(\.py$|/)")
_NOT_AT_START = re.compile(
    r"(^|/)(tests?|migrations|management|scripts?|notebooks|docs|seeds?|fixtures)/"
    r"|(^|/)(test_\w+|\w+_test|conftest|setup|manage)\.py$"
)
_APPS = re.compile(r"^(?:INSTALLED|THIRD_PARTY|DJANGO|\w+)_APPS[ \t]*\+?=[ \t]*[\[(]([^\])]{0,4000})", re.MULTILINE)
"""Those that are installed whatever DEBUG is."""
_MOST = 400


def left_unwritten(index: Index, project: PythonProject, app: WebApp, django: Django | None) -> dict[str, Evidence]:
    """Requirement lines by where they are needed: well-known modules that are imported at the top of a source that
    runs as the app starts, or installed as a Django app, and that no package of the project is or brings."""
    own = {part.removesuffix(".py") for path in index.paths if path.endswith(".py") for part in path.split("/")}
    written = {*project.names, *project.locked}
    if not written:
        return {}
    brought = {module for name in written for module in _BROUGHT_BY.get(name, "").split()}
    out: dict[str, Evidence] = {}

    def add(module: str, at: Evidence) -> None:
        if module in own or module in sys.stdlib_module_names or module in brought:
            return
        package = RENAMED.get(module) or (normal(module) if module in SAME else "")
        name = normal(re.split(r"[\[<=>]", package)[0])
        alike = (normal(module), name.removesuffix("-binary").removesuffix("-python-headless"))
        if package and not any(word in other for word in alike for other in written):
            out.setdefault(package, at)

    for path in _at_start(index, app, django):
        text = index.text(path)
        for module, offset in imports_of(text):
            add(module, Evidence.at(path, text, offset))
        if django is not None and path in django.files:
            for block in _APPS.finditer(text):
                for each in re.finditer(r"""^[ \t]*['"]([a-z]\w+)""", block[1], re.MULTILINE):
                    add(each[1], Evidence.at(path, text, block.start(1) + each.start(1)))
    return out


def _at_start(index: Index, app: WebApp, django: Django | None) -> Iterable[str]:
    """The sources that run as the app starts: what its own module imports, and that imports; of a Django project the
    settings in use and what Django itself loads."""
    first = [app.path]
    if django is not None:
        inside = f"{django.folder}/" if django.folder else ""
        loaded = [p for p in index.ending(".py") if p.startswith(inside) and _FIRST.search(p[len(inside) :])]
        first = [*django.files, *(p for p in loaded if "settings" not in p)]
    bases = dict.fromkeys((app.base, app.folder, django.folder if django else app.folder, ""))
    seen: dict[str, None] = {}
    left = [path for path in first if index.has(path)]
    while left and len(seen) < _MOST:
        path = left.pop()
        if path in seen or _NOT_AT_START.search(path):
            continue
        seen[path] = None
        for found in _FROM.finditer(index.text(path)):
            left += _files_of(index, path, found[1], found[2] or "", bases)
    return seen


_FROM = re.compile(r"^(?:from|import)[ \t]+(\.*[\w.]*)(?:[ \t]+import[ \t]+\(?([\w, \t\n]{1,400}))?", re.MULTILINE)


def _files_of(index: Index, path: str, module: str, names: str, bases: Iterable[str]) -> list[str]:
    dots = len(module) - len(module.lstrip("."))
    inner = module[dots:].replace(".", "/")
    if dots:
        folder = folder_of(path)
        for _ in range(dots - 1):
            folder = folder_of(folder)
        bases = [folder]
    out = []
    for base in bases:
        place = join(base, inner) if inner else base
        out += [f for f in (f"{place}.py", join(place, "__init__.py")) if index.has(f)]
        out += [f for name in re.findall(r"\w+", names) if index.has(f := join(place, f"{name}.py"))]
    return out
