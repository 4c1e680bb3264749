"""The kinds of this manifest: app names, commands, paths inside the tree, domains, addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from itertools import pairwise

from underway.manifest.kinds import Choice, Flag, ListOf, MapOf, Number, Text, Whole
from underway.manifest.measures import Duration, Percent, Size
from underway.manifest.windows import spans_of
from underway.terms.release import APP_NAME

Wrong = tuple[str, str] | None


def matches(pattern: re.Pattern[str], why: str, remedy: str) -> Callable[[str], Wrong]:
    """A check that refuses, with `why` and `remedy`, what is not all of `pattern`."""
    return lambda text: None if pattern.fullmatch(text) else (why, remedy)


def _tree_path(text: str) -> Wrong:
    if text.startswith(("/", "~")) or re.match(r"[A-Za-z]:", text):
        return ("it is absolute", "write it relative to the repository's root, for instance backend")
    if "\\" in text:
        return ("it holds a backslash", "separate folders with /")
    if ".." in text.split("/"):
        return ("it leaves the repository", "name a path inside the repository, without ..")
    if "//" in text or text.split("/")[0] == ".git":
        return ("it is no path of the tree", "write it as git ls-files does, for instance backend/app")
    return None


_NEVER_SHARED = (".venv", "venv", "env", "node_modules", "__pycache__")


def _shared_path(text: str) -> Wrong:
    if (wrong := _tree_path(text)) is not None:
        return wrong
    parts = [p for p in text.split("/") if p not in ("", ".")]
    if not parts:
        return ("it is the whole tree", "name the folder or file the app writes to, for instance uploads")
    for part in parts:
        if part in _NEVER_SHARED:
            return (f"{part} is made anew by every build", "name a folder the app writes to, for instance uploads")
    return None


def _span(text: str) -> Wrong:
    if spans_of(text) is not None:
        return None
    return ("it names no part of the week", 'write "Mon-Fri 09:00-17:00", "Fri 15:00-24:00" or "Sat-Sun"')


def _timezone(text: str) -> Wrong:
    from zoneinfo import ZoneInfo  # imported here: only a manifest that names a zone needs it

    try:
        ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        return ("there is no such time zone", 'write its IANA name, for instance "Europe/Berlin" or "UTC"')
    return None


_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def _domain(text: str) -> Wrong:
    for sign, what in (("://", "an address"), ("/", "an address"), ("*", "a wildcard"), ("@", "an address")):
        if sign in text:
            return (f"it is {what}, not a host name", "write only the name, for instance shop.example.com")
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        pass
    else:
        return ("it is an IP address", "write a host name, for instance shop.example.com")
    if ":" in text:
        return ("it names a port", "write only the host name; the port is the proxy's")
    if text != text.lower():
        return ("it has capital letters", f"write {text.lower()[:80]}")
    if not text.isascii():
        try:
            ascii_form = text.encode("idna").decode()
        except UnicodeError:
            ascii_form = "its ASCII form (xn--…)"
        return ("it is not in ASCII", f"write {ascii_form[:80]}")
    labels = text.split(".")
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        return ("it is no host name", "use letters, digits and inner hyphens between dots: shop.example.com")
    return None


def _url_path(text: str) -> Wrong:
    if not text.startswith("/") or text.startswith("//"):
        return ("it does not begin with one /", "write the path alone, for instance /health")
    if re.search(r"[\s#<>\"{}|\\^`]|[^\x21-\x7e]", text):
        return ("it holds a character that a path may not have", "percent-encode it (RFC 3986)")
    return None


def _status(text: str) -> Wrong:
    if text == "below-500":
        return None
    for part in text.split(","):
        found = re.fullmatch(r"\s*([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?\s*", part, re.ASCII)
        if not found or (found[2] and int(found[2]) < int(found[1])):
            return ("it names no statuses", 'write "200", "200-299", "200,204" or "below-500"')
    return None


FAILED_STATUS = re.compile(r"[45]xx|[45][0-9]{2}", re.ASCII)
ROUTE = re.compile(r"(?:(?P<method>[A-Z]{3,10}) )?(?P<path>/[\x21-\x7e]*)", re.ASCII)
"""`/metrics`, `GET /export/*`: a path, `*` for any characters in it, after one method or for all of them."""


def _failed_status(text: str) -> Wrong:
    if FAILED_STATUS.fullmatch(text):
        return None
    return ("it is no status that an app fails with", 'write "5xx", "4xx" or one status from 400 to 599, like "429"')


def _route(text: str) -> Wrong:
    if ROUTE.fullmatch(text):
        return None
    return ("it is no path", 'write "/metrics" or, with a method and * for any characters, "GET /export/*"')


def _postgres_url(text: str) -> Wrong:
    return _service_url(text, r"postgres(ql)?(\+[a-z0-9_]+)?", "postgresql://user:password@host:5432/name")


def _redis_url(text: str) -> Wrong:
    return _service_url(text, r"rediss?|valkeys?|unix", "redis://:password@host:6379/0")


def _service_url(text: str, scheme: str, example: str) -> Wrong:
    if re.fullmatch(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", text):
        return None
    if re.match(rf"({scheme})://[^\s]+$", text):
        return None
    return ("it is no address of this service", f"write {example} or, to keep it out of the file, ${{NAME}}")


def _ascending(values: tuple[object, ...]) -> Wrong:
    numbers = [v for v in values if isinstance(v, int)]
    if numbers != sorted(numbers):
        return ("the percentages do not ascend", f"write {sorted(numbers)}")
    return None


def _apart(values: tuple[object, ...]) -> Wrong:
    paths = sorted(str(v).strip("/").removeprefix("./") for v in values)
    for one, two in pairwise(paths):
        if two == one or two.startswith(one + "/"):
            return (f"{two} is inside {one}", f"name {one} alone")
    return None


APP = Text(
    "an app name (a host name: lower-case letters, digits, inner hyphens)",
    '"my-shop"',
    40,
    matches(APP_NAME, "an app's name is a host name", "use 1 to 40 lower-case letters, digits and inner hyphens"),
)
APP_OR_NONE = Text(
    "an app name",
    '"my-shop"',
    40,
    matches(APP_NAME, "an app's name is a host name", "use 1 to 40 lower-case letters, digits and inner hyphens"),
    may_be_empty=True,
)
COMMAND = Text("a shell line", '"uvicorn app.main:app"', 4000)
TREE_PATH = Text("a path inside the repository", '"backend"', 400, _tree_path)
SHARED_PATH = Text("a path inside the repository", '"uploads"', 400, _shared_path)
DOMAIN = Text("a host name", '"shop.example.com"', 300, _domain)
URL_PATH = Text("a URL path", '"/health"', 1000, _url_path)
STATUS = Text('statuses ("200", "200-299", "200,204", "below-500")', '"200-299"', 100, _status)
FAILED_STATUSES = ListOf(Text('a status ("5xx", "4xx", "429")', '"5xx"', 3, _failed_status), 50)
ROUTES = ListOf(Text('a path, with or without a method ("GET /export/*")', '"/metrics"', 1000, _route), 100)
MONITORS = ListOf(Text("a part of a User-Agent header", '"UptimeRobot"', 100), 100)
HOST = Text("a host name", '"shop.example.com"', 300, _domain, may_be_empty=True)
PYTHON_VERSION = Text(
    "a Python version (major.minor)",
    '"3.12"',
    8,
    matches(re.compile(r"3\.\d{1,2}", re.ASCII), "it is no major.minor version", 'write "3.12"'),
    may_be_empty=True,
)
DAY = Text(
    "a day (year-month-day)",
    '"2024-08-25"',
    10,
    matches(
        re.compile(r"20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", re.ASCII), "it is no day", 'write "2024-08-25"'
    ),
    may_be_empty=True,
)
PACKAGE = Text(
    "a package requirement",
    '"gunicorn>=22"',
    200,
    matches(
        re.compile(
            r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,\s-]+\])?\s*([<>=!~]=?=?\s*[\w.*+!-]+\s*,?\s*)*", re.ASCII
        ),
        "it is no package requirement",
        'write a name with or without versions, for instance "gunicorn>=22"',
    ),
)
GROUP = Text(
    "the name of a dependency group or extra",
    '"prod"',
    80,
    matches(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII), "it is no group's name", 'write it as "prod"'),
)
SCRIPT = Text(
    "the name of a script in package.json",
    '"build"',
    100,
    matches(
        re.compile(r"[\w:.@/-]+", re.ASCII), "it is no script's name", "write the key under scripts in package.json"
    ),
    may_be_empty=True,
)
PROCESS_NAME = Text(
    "a process name",
    "web",
    32,
    matches(
        re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", re.ASCII),
        "it is no process name",
        "use lower-case letters, digits and inner hyphens, beginning with a letter: web, worker, mail-queue",
    ),
)


def _env_name(text: str) -> Wrong:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text, re.ASCII):
        return ("it is no name of an environment variable", "use letters, digits and _, not beginning with a digit")
    if text == "PORT":
        return ("PORT is set for each instance of web", "remove it; let the command read $PORT")
    return None


ENV_NAME = Text("the name of an environment variable", "LOG_LEVEL", 200, _env_name)
EXTENSION = Text(
    "the name of a PostgreSQL extension",
    '"pg_trgm"',
    63,
    matches(re.compile(r"[a-z_][a-z0-9_-]*", re.ASCII), "it is no extension's name", 'write it as "pg_trgm"'),
)
SCHEME = Text(
    "a URL scheme",
    '"postgresql+asyncpg"',
    40,
    matches(
        re.compile(r"[a-z][a-z0-9]*(\+[a-z0-9_]+)?", re.ASCII), "it is no URL scheme", 'write "postgresql+asyncpg"'
    ),
)
POSTGRES_URL = Text("an address or ${NAME}", '"postgresql://…"', 2000, _postgres_url, may_be_empty=True)
REDIS_URL = Text("an address or ${NAME}", '"redis://…"', 2000, _redis_url, may_be_empty=True)
POSTGRES_PART = Text(
    "one of url, host, port, user, password, database, or url:SCHEME",
    '"host"',
    60,
    matches(
        re.compile(r"url|url:[a-z][a-z0-9]*(\+[a-z0-9_]+)?|host|port|user|password|database", re.ASCII),
        "it is no part of the address",
        'write "url", "host", "port", "user", "password", "database", or a URL of another scheme: "url:postgres"',
    ),
)
POSTGRES_ENV = MapOf(ENV_NAME, POSTGRES_PART)
REDIS_ENV = MapOf(ENV_NAME, Choice(("url", "host", "port", "password")))

PYTHON_MANAGER = Choice(("uv", "pip", "poetry", "pdm", "pipenv", "setuptools"))
NODE_MANAGER = Choice(("npm", "pnpm", "yarn", "bun"))
TLS = Choice(("off", "internal", "auto"))
STRATEGY = Choice(("auto", "canary", "blue-green", "instant"))
REHEARSE = Choice(("auto", "always", "never"))
PROCESS_NAMES = ListOf(PROCESS_NAME, 50)
COMMANDS = ListOf(COMMAND, 50)
TREE_PATHS = ListOf(TREE_PATH, 100)
SHARED_PATHS = ListOf(SHARED_PATH, 50, _apart)
DOMAINS = ListOf(DOMAIN, 100)
PACKAGES = ListOf(PACKAGE, 50)
GROUPS = ListOf(GROUP, 50)
EXTENSIONS = ListOf(EXTENSION, 50)
WHEN_QUIET = Choice(("wait", "probe", "advance"))
PERSON = Text(
    "a person's name",
    '"ana"',
    80,
    matches(re.compile(r"[\w.@+-]+"), "it is no name as one word", 'write it as it is given with --as: "ana"'),
)
PEOPLE = ListOf(PERSON, 50)
SPANS = ListOf(Text("a part of the week", '"Fri 15:00-24:00"', 40, _span), 50)
TIMEZONE = Text("a time zone", '"Europe/Berlin"', 60, _timezone)
STEPS = ListOf(Whole(0, 99), 50, _ascending)

VERSION = Whole(1, 1)
INSTANCES = Whole(1, 64)
MEMORY = Size("8MB", "100TB", none="none")
LIMIT_MEMORY = Size("8MB", "100TB")
CPUS = Number(0, 1024)
STOP_TIMEOUT = Duration("0s", "1h")
LONG = Duration("1s", "1d")
HEALTH_TIMEOUT = Duration("100ms", "1h")
INTERVAL = Duration("10ms", "10m")
REQUEST_TIMEOUT = Duration("10ms", "10m")
WATCH = Duration("0s", "7d")
DRAIN = Duration("0s", "1h")
LOCK_TIMEOUT = Duration("0s", "10m")
LATENCY = Duration("1ms", "10m", in_ms=True)
STEP_TIME = Duration("0s", "1d")
PATIENCE = Duration("1s", "7d")
RATIO = Number(1, 100)
SLOWER = Percent("1%", "900%")
RATE = Percent("0%", "100%")
FLAG = Flag()
SUCCESSES = Whole(1, 1000)
LOCK_TRIES = Whole(1, 100)
KEEP = Whole(2, 1000)
WARM_UP = Whole(0, 10_000)
FAILED_CHECKS = Whole(1, 1000)
