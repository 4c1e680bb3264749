"""Settings of a Django project that are written in the code: a module beside them gives what a deploy must decide.

`from shop.settings import *`, then what follows. `DJANGO_SETTINGS_MODULE` names it, which manage.py and wsgi.py leave
alone when it is set (docs.djangoproject.com/en/stable/topics/settings). Nothing of the repository is changed.
"""

from __future__ import annotations

import ast
import re
import shlex

from underway.detect.django import Django, assigned, setting_at
from underway.detect.draft import Draft
from underway.detect.index import Index, join
from underway.detect.model import Evidence, Notes
from underway.detect.python_code import PyFile, PythonCode, literal, source_of
from underway.detect.python_project import PythonProject
from underway.detect.services import POSTGRES_DRIVERS, REDIS_CLIENTS
from underway.manifest.env_keys import EnvVar
from underway.manifest.services import Postgres, Redis

MODULE = "underway_settings"
_ASSIGNED = re.compile(r"environ\[\s*['\"]DJANGO_SETTINGS_MODULE['\"]\s*\]\s*=")


def overlay(
    index: Index, code: PythonCode, project: PythonProject | None, django: Django, draft: Draft, notes: Notes
) -> None:
    """Add the overlay where the settings fix host names, the database's address or a public secret key.

    Where it would not be read, what only the owner can change is a problem.
    """
    lines: list[str] = []
    is_read = django.settings and not _names_its_own_settings(index, django)
    _hosts(index, django, draft, notes, lines, is_read=bool(is_read))
    _database(index, project, django, draft, notes, lines, is_read=bool(is_read))
    if is_read:
        _redirect(code, django, draft, notes, lines)
        _unencrypted(index, django, draft, notes, lines)
        _redis(code, project, django, draft, notes, lines)
        _secret_key(index, code, django, draft, notes, lines)
    if lines:
        text = "; ".join([f"from {django.settings} import *", "import os", *lines])
        target = shlex.quote(join(django.folder, f"{MODULE}.py"))
        draft.commands.insert(0, f"printf '%s\\n' {shlex.quote(text)} > {target}")
        draft.env["DJANGO_SETTINGS_MODULE"] = EnvVar(value=MODULE)
        notes.comments.pop("env.DJANGO_SETTINGS_MODULE", None)
        says = f"{MODULE} takes {django.settings} and what of it a deploy decides; the repository stays as it is"
        notes.claim("env", says, django.evidence, "env.DJANGO_SETTINGS_MODULE")
    _debug(index, code, django, draft, notes)


def _names_its_own_settings(index: Index, django: Django) -> bool:
    """True when manage.py or the server's module sets the settings whatever the environment says."""
    modules = [module.replace(".", "/") + ".py" for module in (django.wsgi, django.asgi) if module]
    files = [join(django.folder, name) for name in ("manage.py", *modules)]
    is_by_class = any("configurations" in index.text(path) for path in files)
    return is_by_class or any(_ASSIGNED.search(index.text(path)) for path in files)


def _hosts(index: Index, django: Django, draft: Draft, notes: Notes, lines: list[str], *, is_read: bool) -> None:
    listed = django.hosts_literal
    own = f"{draft.app}.localhost"
    if listed is None or any(h == "*" or own == h or (h.startswith(".") and own.endswith(h)) for h in listed):
        return
    at = setting_at(index, django, "ALLOWED_HOSTS")
    if not is_read and not listed:
        return  # Django itself accepts localhost and its subdomains while DEBUG is on
    if not is_read:
        notes.problem(
            "detect.hosts-fixed",
            at,
            f"Django answers 400 to any host but {', '.join(listed[:5])}, and the app is at {own}",
            f'add "{own}" and your domains to ALLOWED_HOSTS, or read it: '
            'ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")',
        )
        return
    lines.append('ALLOWED_HOSTS = os.environ["ALLOWED_HOSTS"].split(",")')
    lines.append('CSRF_TRUSTED_ORIGINS = os.environ["CSRF_TRUSTED_ORIGINS"].split(",")')
    draft.env["ALLOWED_HOSTS"] = EnvVar(value="${hosts}")
    draft.env["CSRF_TRUSTED_ORIGINS"] = EnvVar(value="${origins}")
    what = f"fixed to {', '.join(listed[:3])}" if listed else "empty"
    says = f"ALLOWED_HOSTS is {what}: it gets the app's own names"
    notes.claim("host", says, at, "env.ALLOWED_HOSTS")


_PARTS = (
    ("NAME", "PGDATABASE"),
    ("USER", "PGUSER"),
    ("PASSWORD", "PGPASSWORD"),
    ("HOST", "PGHOST"),
    ("PORT", "PGPORT"),
)

_FIXED_PORT = re.compile(r"""["']PORT["']\s*:\s*["']?5432\b""")


def _database(
    index: Index,
    project: PythonProject | None,
    django: Django,
    draft: Draft,
    notes: Notes,
    lines: list[str],
    *,
    is_read: bool,
) -> None:
    if not django.uses_postgres_engine:
        return
    at = setting_at(index, django, "DATABASES")
    named = set(draft.postgres.env.values()) if draft.postgres is not None else set()
    if is_read and "host" in named and not named & {"port", "url"} and _FIXED_PORT.search(index.text(at.path)):
        lines.append('DATABASES["default"]["PORT"] = os.environ["PGPORT"]')
        notes.claim("database", "the settings read the database's host and fix its port: it gets the one provided", at)
        return
    if not django.has_fixed_database or named:
        return
    if not is_read:
        notes.problem(
            "detect.database-fixed",
            at,
            "the settings fix the database's address, so the app cannot be given one",
            'read it: DATABASES = {"default": dj_database_url.config()}, which takes DATABASE_URL',
        )
        return
    given = ", ".join(f'"{part}": os.environ["{variable}"]' for part, variable in _PARTS)
    lines.append(f'DATABASES["default"].update({{{given}}})')
    if draft.postgres is None and project is not None and project.has(*POSTGRES_DRIVERS):
        draft.postgres = Postgres()
    notes.claim("database", "the settings fix the database's address: it gets the one provided", at)


def _redirect(code: PythonCode, django: Django, draft: Draft, notes: Notes, lines: list[str]) -> None:
    """Django's own redirect to HTTPS, which leads nowhere without a certificate; with one, the proxy redirects."""
    for path in django.files:
        file = code.files.get(path)
        for value in assigned(file, "SECURE_SSL_REDIRECT") if file is not None else ():
            if literal(value) == "False":
                continue
            name = (literal(value.args[0]) if isinstance(value, ast.Call) and value.args else "") or ""
            if re.fullmatch(r"[A-Z][A-Z0-9_]{2,60}", name):
                draft.env[name] = EnvVar(value="False")
                key = f"env.{name}"
            else:
                lines.append("SECURE_SSL_REDIRECT = False")
                key = "env.DJANGO_SETTINGS_MODULE"
            says = "the redirect to HTTPS is left to the proxy, which knows whether there is a certificate"
            notes.claim("host", says, Evidence(path, value.lineno), key)
            return


_TLS = re.compile(r"""ssl_require\s*=\s*(?!False\b|not\b)\w|['"]?sslmode['"]?\]?\s*[:=]\s*['"](?:require|verify)""")


def _unencrypted(index: Index, django: Django, draft: Draft, notes: Notes, lines: list[str]) -> None:
    """Settings that insist on TLS to the database, which is on this machine and has none."""
    if draft.postgres is None:
        return
    for path in django.files:
        found = _TLS.search(text := index.text(path))
        if found:
            lines.append('DATABASES["default"].setdefault("OPTIONS", {})["sslmode"] = "prefer"')
            says = "TLS to the database is no longer insisted on: the one provided is on this machine"
            notes.claim("database", says, Evidence.at(path, text, found.start()))
            return


_REDIS_AT = re.compile(r"rediss?://(?:[^@/\s]*@)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0|[\w-]+)(?::\d+)?(?:/\d+)?/?")
_REDIS_SETTINGS = {
    "CHANNEL_LAYERS": 'CHANNEL_LAYERS["default"]["CONFIG"]["hosts"] = [os.environ["REDIS_URL"]]',
    "CACHES": '[c.update(LOCATION=os.environ["REDIS_URL"], KEY_PREFIX=c.get("KEY_PREFIX") or n) '
    'for n, c in CACHES.items() if "redis" in c["BACKEND"].lower()]',
    "CELERY_BROKER_URL": 'CELERY_BROKER_URL = os.environ["REDIS_URL"]',
    "BROKER_URL": 'BROKER_URL = os.environ["REDIS_URL"]',
    "CELERY_RESULT_BACKEND": 'CELERY_RESULT_BACKEND = os.environ["REDIS_URL"]',
    "RQ_QUEUES": 'RQ_QUEUES = {name: {"URL": os.environ["REDIS_URL"]} for name in RQ_QUEUES}',
}
"""Settings that hold the address of a Redis, and what gives each the one that a deploy makes."""


def _redis(
    code: PythonCode, project: PythonProject | None, django: Django, draft: Draft, notes: Notes, lines: list[str]
) -> None:
    """An address of a Redis that is written in the settings."""
    if project is None or not project.has(*REDIS_CLIENTS):
        return
    done: set[str] = set()
    for path in django.files:
        file = code.files.get(path)
        for name, line in _REDIS_SETTINGS.items() if file is not None else ():
            value = file.literals.get(name) if file is not None else None
            if value is None or name in done:
                continue
            done.add(name)  # the settings in use come first, what they build on after them
            if file is None or not _is_fixed_redis(value[0], file):
                continue
            lines.append(line)
            draft.redis = draft.redis or Redis()
            says = f"{name} fixes the address of a Redis: it gets the one provided"
            notes.claim("redis", says, Evidence(path, value[1]), "services.redis")


def _is_fixed_redis(value: ast.expr, file: PyFile, depth: int = 0) -> bool:
    """True for an address, or a host with its port, that nothing of the environment is part of."""
    is_there = False
    for node in ast.walk(value):
        if isinstance(node, ast.Name) and node.id in file.literals and depth < 4:
            is_there |= _is_fixed_redis(file.literals[node.id][0], file, depth + 1)
            if not is_there:
                return False
        elif isinstance(node, ast.Call | ast.Subscript | ast.Name):
            return False
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _REDIS_AT.fullmatch(node.value):
            is_there = True
        if isinstance(node, ast.Constant) and node.value == 6379:
            is_there = True
    return is_there


def _switch(node: ast.expr) -> str:
    """The variable of `"NAME" not in os.environ`."""
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotIn):
        name = literal(node.left) or ""
        if source_of(node.comparators[0]) in ("os.environ", "environ") and re.fullmatch(r"[A-Z][A-Z0-9_]{1,60}", name):
            return name
    return ""


_LOCAL = re.compile(r"import\s+\w*local_?settings|local_?settings\w*\s+import")
"""Settings of one machine, kept out of the repository."""


def _secret_key(index: Index, code: PythonCode, django: Django, draft: Draft, notes: Notes, lines: list[str]) -> None:
    for path in django.files:
        file = code.files.get(path)
        value = file.literals.get("SECRET_KEY") if file is not None else None
        if value is None:
            continue
        if literal(value[0]) is not None and "SECRET_KEY" not in draft.env:
            lines.append('SECRET_KEY = os.environ["SECRET_KEY"]')
            draft.env["SECRET_KEY"] = EnvVar(generate="django", secret=True)
            what = "in the repository, where everybody can read it" if literal(value[0]) else "empty"
            says = f"SECRET_KEY is {what}: one is generated and kept"
            notes.claim("env", says, setting_at(index, django, "SECRET_KEY"), "env.SECRET_KEY")
        return
    texts = [index.text(path) for path in django.files]
    if any(_LOCAL.search(text) for text in texts) and not any("SECRET_KEY" in text for text in texts):
        lines.append('SECRET_KEY = os.environ["SECRET_KEY"]')
        draft.env["SECRET_KEY"] = EnvVar(generate="django", secret=True)
        says = "no settings here have a SECRET_KEY: one is generated and kept"
        notes.claim("env", says, django.evidence, "env.SECRET_KEY")


def _debug(index: Index, code: PythonCode, django: Django, draft: Draft, notes: Notes) -> None:
    for path in django.files:
        file = code.files.get(path)
        value = file.literals.get("DEBUG") if file is not None else None
        if value is None:
            continue
        name = _switch(value[0])
        if name:
            draft.env[name] = EnvVar(value="1")
            says = f"{name} switches DEBUG off by being set"
            notes.claim("env", says, setting_at(index, django, "DEBUG"), f"env.{name}")
        elif literal(value[0]) == "True":
            says = (
                "DEBUG is on and nothing switches it off: error pages show code and settings to everybody. "
                'Read it: DEBUG = os.environ.get("DEBUG") == "1"'
            )
            notes.claim("env", says, setting_at(index, django, "DEBUG"))
        return
