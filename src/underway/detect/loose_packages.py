"""Dependencies that no lock and no requirements file names: in a Dockerfile, a conda environment, or only imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from underway.detect.index import Index, folder_of
from underway.detect.model import Evidence
from underway.detect.pip_lines import pip_lines
from underway.detect.python_project import PythonProject, add_package, normal
from underway.detect.starts import Starts
from underway.detect.yamlish import read_yaml


def _words(text: str) -> frozenset[str]:
    """The words of a long list, which reads better as text."""
    return frozenset(text.split())


_REQUIREMENT = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9._,-]+\])?(?:[=<>!~]=?=?[\w.*+!-]+(?:,[=<>!~]=?=?[\w.*+!-]+)*)?"
)
_TOOLS = _words(
    """
    pip setuptools wheel uv poetry poetry-core pipenv pdm pip-tools hatch build virtualenv supervisor awscli debugpy
    pytest black ruff flake8 mypy ipython jupyter notebook watchdog tox nox coverage pre-commit
    """
)
_NO_PYTHON = _words(
    """
    python pip setuptools wheel nodejs openssl ca-certificates libgcc-ng libstdcxx-ng zlib sqlite readline ncurses tk xz
    libffi git make gcc gxx cmake ipykernel jupyter notebook _libgcc_mutex _openmp_mutex postgresql nginx
    """
)
"""What conda installs beside packages of Python, or for a developer alone."""

RENAMED = {
    "dotenv": "python-dotenv", "yaml": "pyyaml", "PIL": "pillow", "bs4": "beautifulsoup4", "sklearn": "scikit-learn",
    "cv2": "opencv-python-headless", "jwt": "pyjwt", "jose": "python-jose[cryptography]", "psycopg2": "psycopg2-binary",
    "psycopg": "psycopg[binary]", "multipart": "python-multipart", "rest_framework": "djangorestframework",
    "corsheaders": "django-cors-headers", "environ": "django-environ", "decouple": "python-decouple",
    "crispy_forms": "django-crispy-forms", "socketio": "python-socketio", "slugify": "python-slugify",
    "magic": "python-magic", "dateutil": "python-dateutil", "tortoise": "tortoise-orm", "fitz": "pymupdf",
    "telegram": "python-telegram-bot", "MySQLdb": "mysqlclient", "OpenSSL": "pyopenssl", "Crypto": "pycryptodome",
    "fasthtml": "python-fasthtml", "docx": "python-docx", "pptx": "python-pptx", "markdown2": "markdown2",
    "sentence_transformers": "sentence-transformers", "django_filters": "django-filter", "debug_toolbar":
    "django-debug-toolbar", "drf_yasg": "drf-yasg", "drf_spectacular": "drf-spectacular", "storages": "django-storages",
    "rest_framework_simplejwt": "djangorestframework-simplejwt", "import_export": "django-import-export",
    "pkg_resources": "setuptools<81", "gi": "pygobject", "usb": "pyusb", "serial": "pyserial", "zmq": "pyzmq",
}  # fmt: skip
"""Modules whose package has another name on PyPI."""

SAME = _words(
    """
    fastapi uvicorn starlette litestar quart sanic aiohttp tornado bottle cherrypy flask django falcon blacksheep
    gunicorn hypercorn waitress granian requests httpx numpy pandas scipy sqlalchemy sqlmodel alembic pydantic jinja2
    redis celery streamlit gradio dash plotly matplotlib seaborn openai anthropic boto3 botocore asyncpg aiosqlite
    aioredis passlib bcrypt werkzeug markdown click rich typer loguru tqdm stripe peewee marshmallow websockets
    apscheduler mangum orjson ujson cryptography itsdangerous wtforms lxml pytz pymongo motor pymysql whitenoise
    channels daphne gevent eventlet psutil nltk spacy torch transformers tensorflow keras networkx sympy altair pydeck
    folium geopandas shapely openpyxl xlsxwriter reportlab qrcode twilio sendgrid feedparser arrow pendulum humanize
    validators aiofiles aiohttp_cors aiogram structlog sentry_sdk prometheus_client slowapi fastapi_users
    pydantic_settings email_validator dj_database_url graphene strawberry ariadne beanie mongoengine nicegui panel bokeh
    chainlit langchain langchain_openai langchain_community chromadb tiktoken yfinance wikipedia pyttsx3
    flask_sqlalchemy flask_migrate flask_login flask_wtf flask_cors flask_mail flask_bcrypt flask_restful flask_socketio
    flask_jwt_extended flask_marshmallow flask_admin flask_caching flask_limiter flask_session flask_babel flask_moment
    flask_bootstrap flask_assets flask_compress flask_talisman flask_httpauth flask_smorest flask_restx flask_pymongo
    flask_mysqldb flask_security flask_ckeditor flask_uploads flask_dance crispy_bootstrap4 crispy_bootstrap5
    urllib3 certifi anyio h11 attrs attr pyarrow polars duckdb tabulate colorama simplejson toml tomli
    django_extensions django_htmx django_celery_beat django_redis markdownify bleach
    """
)
"""Modules whose package has the same name. A name that is in neither list is not guessed: anybody could own it."""

_BESIDE = (
    (re.compile(r"\b(?:Form|File)\(|\bUploadFile\b|OAuth2PasswordRequestForm"), "fastapi", "python-multipart"),
    (re.compile(r"\bEmailStr\b"), "pydantic", "email-validator"),
    (re.compile(r"\bJinja2Templates\b"), "fastapi", "jinja2"),
)
"""What a source needs that it does not import itself."""

_IMPORT = re.compile(r"^(?:from[ \t]+([A-Za-z_]\w*)[\w.]*[ \t]+import\b|import[ \t]+([\w.,\t ]+))", re.MULTILINE)
_NO_APP = re.compile(r"(^|/)(tests?|scripts?|tools?|notebooks|docs)/|(^|/)(test_\w+|\w+_test|conftest|setup)\.py$")


def loose_projects(index: Index, starts: Starts) -> list[PythonProject]:
    """The project of a tree in which no file of a package manager is; none where there is nothing to go by."""
    made = _of_dockerfiles(starts) or _of_conda(index) or _of_imports(index)
    return [made] if made is not None else []


def added_by_dockerfile(starts: Starts, project: PythonProject) -> None:
    """Add to `project` what the Dockerfiles install by name beside its own files: a server, a driver."""
    for line, at in _installed(starts):
        name = normal(re.split(r"[\[=<>!~]", line)[0])
        folder = folder_of(at.path)
        is_its_own = folder in ("", project.folder) or re.search(r"(^|/)(docker|compose|deploy)", folder)
        if is_its_own and name not in _TOOLS and not project.brings(name):
            add_package(project, line, at)
            project.extra = (*project.extra, line)


def _installed(starts: Starts) -> list[tuple[str, Evidence]]:
    """The packages that `RUN pip install` names, as requirement lines."""
    out = []
    for docker in starts.dockerfiles:
        if re.search(r"dev|local|test", docker.path, re.IGNORECASE):
            continue
        for run, line in docker.runs:
            for word in (word for call in pip_lines(run) for word in call.named):
                if _REQUIREMENT.fullmatch(word) and not word.endswith((".whl", ".txt", ".gz", ".zip")):
                    out.append((word, Evidence(docker.path, line)))
    return out


def _of_dockerfiles(starts: Starts) -> PythonProject | None:
    named = [(line, at) for line, at in _installed(starts) if normal(re.split(r"[\[=<>!~]", line)[0]) not in _TOOLS]
    return _made("", named) if named else None


def _of_conda(index: Index) -> PythonProject | None:
    """The packages of environment.yml, by the names they have on PyPI too (docs.conda.io, "Managing environments")."""
    for path in index.named("environment.yml", "environment.yaml", "conda.yml", "conda.yaml")[:2]:
        named = []
        for item in read_yaml(index.text(path)).at("dependencies").items:
            if "pip" in item.entries:
                named += [(each.text, Evidence(path, each.line)) for each in item.entries["pip"].items]
                continue
            name, *version = item.text.rpartition("::")[2].replace("==", "=").split("=")
            if re.search(r"[<>]", item.text):
                name, version = item.text.rpartition("::")[2], []
            exact = version[0] if version and re.fullmatch(r"[0-9][\w.]*", version[0]) else ""
            if re.split(r"[<>\s]", name)[0].lower() not in _NO_PYTHON:
                end = f"=={exact}" + ("" if len(version) > 1 else ".*") if exact else ""
                named.append((f"{name.strip()}{end}".replace(" ", ""), Evidence(path, item.line)))
        named = [(line, at) for line, at in named if _REQUIREMENT.fullmatch(line)]
        if named:
            project = _made(folder_of(path), named)
            if python := re.search(r"^\s*-\s*python\s*=+\s*(3\.\d+)", index.text(path), re.MULTILINE):
                project.requires, project.requires_evidence = f"=={python[1]}.*", index.line(path, python[0].strip())
            return project
    return None


def imports_of(text: str) -> Iterator[tuple[str, int]]:
    """The modules that a source imports at its top, each with where: what stands in a `try` or a function may fail."""
    for each in _IMPORT.finditer(text):
        names = [each[1]] if each[1] else [n.strip().split(" ")[0].partition(".")[0] for n in each[2].split(",")]
        yield from ((name, each.start()) for name in names if name)


def _of_imports(index: Index) -> PythonProject | None:
    """What the sources import that is neither theirs nor Python's own."""
    sources = [p for p in index.ending(".py") if not _NO_APP.search(p)][:500]
    own = {part.removesuffix(".py") for path in index.paths if path.endswith(".py") for part in path.split("/")}
    found: dict[str, Evidence] = {}
    texts = []
    for path in sources:
        text = index.text(path)
        texts.append(text)
        for name, offset in imports_of(text):
            if name not in own and name not in sys.stdlib_module_names and name != "__future__":
                found.setdefault(name, Evidence.at(path, text, offset))
    if not found:
        return None
    known = {name: RENAMED.get(name) or normal(name) for name in found if name in RENAMED or name in SAME}
    named = [(package, found[name]) for name, package in known.items()]
    whole = "\n".join(texts)
    for pattern, beside, package in _BESIDE:
        if beside in known and pattern.search(whole) and package not in known.values():
            named.append((package, found[beside]))
    project = _made("", named) if named else PythonProject("", "pip", next(iter(found.values())), is_locked=False)
    project.is_guessed = True
    project.unknown = {name: at for name, at in found.items() if name not in known}
    return project


def _made(folder: str, named: list[tuple[str, Evidence]]) -> PythonProject:
    project = PythonProject(folder, "pip", named[0][1], is_locked=False)
    for line, at in named:
        add_package(project, line, at)
    project.extra = tuple(dict.fromkeys(line for line, _ in named))
    return project
