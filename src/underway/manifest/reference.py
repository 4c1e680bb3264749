"""The manifest's reference page, made from the declarations in `model.py`.

`python -m underway.manifest.reference > docs/manifest.md`
"""

from __future__ import annotations

from typing import Any

from underway.manifest.keys import Declared, Key, Table, declared
from underway.manifest.model import MANIFEST_FILE, Manifest

EXAMPLE = """\
manifest = 1
app = "letters"
domains = ["letters.example.com"]
tls = "auto"
public_prefixes = ["LETTERS_PUBLIC_"]
environment = "production"
vault = "letters"
shared = ["backend/uploads"]

[build]
commands = ["python backend/manage.py collectstatic --noinput"]

[build.python]
manager = "uv"
dir = "backend"
extra = ["uvicorn>=0.30"]

[build.node]
manager = "npm"
dir = "frontend"
script = "build"

[build.front_end]
manager = "pnpm"
dir = "admin"
script = "build"

[processes.web]
command = "uvicorn app.main:app --host 127.0.0.1 --port $PORT"
cwd = "backend"
instances = 2
memory = "512MB"

[processes.worker]
command = "python -m app.worker"
cwd = "backend"

[health]
path = "/api/health"
timeout = "2m"

[static]
dir = "frontend/dist"
spa = true

[migrate]
command = "alembic upgrade head"
cwd = "backend"
paths = ["backend/alembic/versions"]

[services]
redis = true

[services.postgres]
scheme = "postgresql+asyncpg"
extensions = ["pg_trgm"]
env = {POSTGRES_SERVER = "host", POSTGRES_PORT = "port"}

[env]
LOG_LEVEL = {value = "info", type = "enum", choices = ["debug", "info", "warning"]}
ALLOWED_HOSTS = "${hosts}"
SECRET_KEY = {generate = "urlsafe", rotates = "90d", previous = "SECRET_KEY_FALLBACKS"}
STRIPE_KEY = {secret = true, required_in = ["production"], doc = "Key of the payment provider"}
PROBE_PASSWORD = {secret = true}

[environments.staging]
env = {LOG_LEVEL = "debug"}

[[smoke]]
path = "/api/items"
expect = {status = "200", json = {"items[0].kind" = "letter"}}

[[journey]]
name = "sign in"

[[journey.steps]]
method = "POST"
path = "/api/login"
json = {user = "probe", password = "${env.PROBE_PASSWORD}"}
keep = {token = "json:access_token"}

[[journey.steps]]
path = "/api/me"
headers = {Authorization = "Bearer ${token}"}

[journey.steps.expect]
has = ["user.id"]

[[monitor]]
name = "mail gateway"
kind = "tcp"
target = "mail.example.com:587"
interval = "1m"

[[slo]]
name = "letters are quick"
route = "GET /api/letters/*"
latency = "300ms"
objective = "99%"

[budget]
requests = 1_000_000
cost = 25

[budget.prices]
month = 7
gigabyte = 0.1

[[keep_awake]]
name = "staging"
target = "https://shop-staging.onrender.com/health"
allowance = "260h"
hours = ["Mon-Fri 07:00-19:00"]

[alerts]
timezone = "Europe/Berlin"
quiet = ["Mon-Sun 22:00-07:00"]

[[alerts.channels]]
name = "on call"
kind = "pagerduty"
key = "${PAGERDUTY_KEY}"
severity = "critical"

[backup]
every = "12h"
remotes = ["s3:letters-backups"]

[release]
strategy = "canary"
steps = [0, 5, 25, 50]
approve = {by = ["ana"]}
watch = "10m"

[release.windows]
deny = ["Fri 15:00-24:00", "Sat-Sun"]
timezone = "Europe/Berlin"

[release.limits]
failed_health_checks = 3
error_rate = "5%"
p95 = "500ms"
memory = "1GB"
"""

_HEAD = f"""\
# The manifest

<!-- Made by `python -m underway.manifest.reference`. Edit src/underway/manifest/model.py instead. -->

`{MANIFEST_FILE}` in the root of a repository says how its app is built, run and released. No manifest is fine: then
what `underway init` would write is used and shown. A top-level table that the file has is used as it is written; a
table that it lacks is filled from what the repository says. An `[env]` in a file without `build`, `processes` and
`static` is added to the one recognised: a file may hold nothing but the answer to what was asked. A wrong file is
refused with all of its problems at once, each with its line.

Durations are text with a unit: `"250ms"`, `"30s"`, `"10m"`, `"1h30m"`, `"7d"`. Sizes likewise: `"512MB"`, `"1GB"`
(10⁹ bytes), `"2GiB"` (2³¹ bytes). Percentages: `"5%"`. Paths are relative to the root and stay inside the tree.

A whole example:

```toml
{EXAMPLE}```
"""


def reference_md() -> str:
    """The page: every key with its type, default, example and meaning."""
    out = [_HEAD]
    _section(Manifest, "", "Top level", "", out)
    return "\n".join(out).rstrip("\n") + "\n"


def _section(of: type[Any], path: str, title: str, says: str, out: list[str]) -> None:
    keys = declared(of)
    plain = [d for d in keys if isinstance(d.key, Key)]
    out += [f"## {title}", ""]
    if says:
        out += [says, ""]
    if plain:
        out += ["| key | type | default | example | meaning |", "|---|---|---|---|---|"]
        out += [_row(each) for each in plain] + [""]
    for each in keys:
        if isinstance(each.key, Table):
            inner = f"{path}.{each.name}" if path else each.name
            inner += f".{each.key.entry}" if each.key.names is not None else ""
            title = f"`[[{inner}]]`" if each.key.is_list else f"`[{inner}]`"
            _section(each.key.of, inner, title, _about(each.key), out)


def _about(key: Table) -> str:
    says = key.says
    name = key.entry if key.names is not None else key.name
    if key.is_switch:
        says += f" Short forms: `{name} = true`, `{name} = false`."
    if key.short:
        says += f' `{name} = "…"` is short for its `{key.short}`.'
    if key.names is not None:
        says += f" NAME is {key.names.takes}."
    return says


def _row(each: Declared) -> str:
    key = each.key
    assert isinstance(key, Key)
    default = "required" if each.is_required else f"`{key.kind.show(each.default)}`"
    cells = (f"`{each.name}`", key.kind.takes, default, f"`{key.example}`", key.says)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(reference_md(), end="")
