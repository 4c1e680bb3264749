"""What is written reads back as it was, and says no more than it must."""

from __future__ import annotations

import dataclasses
import json
import math
import string
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from underway.manifest import backup, env_words, kinds, measures, probe_words, words
from underway.manifest.build import PythonBuild
from underway.manifest.env_keys import EnvVar
from underway.manifest.hosts import expand, with_own_names
from underway.manifest.keys import Declared, Key, Table, declared
from underway.manifest.limits import LimitKeys
from underway.manifest.model import Health, Manifest, Process
from underway.manifest.read import read_manifest
from underway.manifest.reference import EXAMPLE
from underway.manifest.release import Margins, Windows
from underway.manifest.smoke import Journey, Smoke
from underway.manifest.spending import KeepAwakeKeys
from underway.manifest.windows import next_open
from underway.manifest.write import render

_SAMPLES: dict[int, st.SearchStrategy[Any]] = {
    id(words.APP): st.from_regex(
        r"[a-z][a-z0-9-]{0,38}[a-z0-9]|[a-z]", fullmatch=True, alphabet=st.characters(codec="ascii")
    ),
    id(words.APP_OR_NONE): st.sampled_from(["", "shop"]),
    id(words.COMMAND): st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1
    ).filter(str.strip),
    id(words.TREE_PATH): st.sampled_from([".", "backend", "a b/c", "apps/web", "requirements/prod.txt", "ä/ö"]),
    id(words.SHARED_PATH): st.sampled_from(["uploads", "db.sqlite3", "backend/media", "instance"]),
    id(words.DOMAIN): st.sampled_from(["a.example.com", "b.example.com", "xn--mnchen-3ya.example", "intranet"]),
    id(words.HOST): st.sampled_from(["", "a.example.com"]),
    id(words.URL_PATH): st.sampled_from(["/", "/health", "/api/v1/utils/health-check/", "/a?b=c%20d"]),
    id(words.STATUS): st.sampled_from(["200", "200-299", "200,204", "below-500"]),
    id(words.FAILED_STATUSES.item): st.sampled_from(["5xx", "4xx", "429", "503"]),
    id(words.ROUTES.item): st.sampled_from(["/", "/metrics", "GET /export/*", "PROPFIND /a*b/*"]),
    id(words.MONITORS.item): st.sampled_from(["UptimeRobot", "our checker/2 (ä)"]),
    id(words.PYTHON_VERSION): st.sampled_from(["", "3.11", "3.13"]),
    id(words.DAY): st.sampled_from(["", "2024-08-25"]),
    id(words.PACKAGE): st.sampled_from(["gunicorn", "uvicorn[standard]>=0.30", "psycopg[binary]==3.2.*", "a>=1,<2"]),
    id(words.GROUP): st.sampled_from(["prod", "docs"]),
    id(words.SCRIPT): st.sampled_from(["", "build", "build:prod"]),
    id(words.PROCESS_NAME): st.sampled_from(["web", "worker", "mail-queue", "w2"]),
    id(words.ENV_NAME): st.from_regex(
        r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True, alphabet=st.characters(codec="ascii")
    ).filter(lambda name: name != "PORT"),
    id(env_words.ENV_VALUE): st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"])),
    id(env_words.ENV_NAME_OR_NONE): st.sampled_from(["", "SECRET_KEY_FALLBACKS"]),
    id(env_words.ENV_TYPE): st.sampled_from(["str", "int", "list", "list of url", "pem"]),
    id(env_words.ENV_SOURCE): st.sampled_from(["", "postgres", "redis:port", "public:JWT_KEY"]),
    id(env_words.PATTERN): st.just(""),
    id(env_words.DOC): st.sampled_from(["", 'Key of the "mail" provider, see docs\\mail']),
    id(env_words.ENV_CHOICE): st.sampled_from(["debug", "info", "a b"]),
    id(env_words.ENVIRONMENT): st.sampled_from(["production", "staging", "eu-west"]),
    id(env_words.ENVIRONMENT_OR_NONE): st.sampled_from(["", "production"]),
    id(env_words.PREFIX): st.sampled_from(["SHOP_PUBLIC_", "X_"]),
    id(words.EXTENSION): st.sampled_from(["pg_trgm", "uuid-ossp", "vector"]),
    id(words.SCHEME): st.sampled_from(["postgresql", "postgres", "postgresql+asyncpg"]),
    id(words.POSTGRES_URL): st.sampled_from(["", "postgres://u:p@h:1/d", "${PROD_DATABASE_URL}"]),
    id(words.POSTGRES_PART): st.sampled_from(["url", "host", "password", "url:postgresql+asyncpg"]),
    id(probe_words.NAME): st.sampled_from(["", "the front page"]),
    id(probe_words.JOURNEY_NAME): st.sampled_from(["sign in", "buy"]),
    id(probe_words.PATH): st.sampled_from(["/", "/api?a=b", "/x/${unique}"]),
    id(probe_words.TEXTS.item): st.sampled_from(["Welcome", 'ä"\\']),
    id(probe_words.PLACE): st.sampled_from(["status", "items[0].id", "[0].a-b", "ä.$ref"]),
    id(probe_words.SENT_HEADER): st.sampled_from(["Authorization", "X-Token"]),
    id(probe_words.EXPECTED_HEADER): st.sampled_from(["Location", "Host"]),
    id(probe_words.HEADER_VALUE): st.sampled_from(["", "Bearer ${unique}"]),
    id(probe_words.BODY): st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"])),
    id(probe_words.FORM_NAME): st.sampled_from(["user", "a b"]),
    id(probe_words.FORM_VALUE): st.sampled_from(["", "ä\n"]),
    id(probe_words.KEPT_NAME): st.sampled_from(["token", "csrf"]),
    id(probe_words.SOURCE): st.sampled_from(["json:a[0]", "header:Location", "cookie:id", "input:csrf token"]),
    id(words.SPANS.item): st.sampled_from(["Mon-Fri 09:00-17:00", "Sat", "22:00-06:00"]),
    id(words.TIMEZONE): st.sampled_from(["UTC", "Europe/Berlin"]),
    id(words.PERSON): st.sampled_from(["ana", "ben.k@example.com"]),
    id(backup.RECIPIENT): st.sampled_from(["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]),
    id(backup.REMOTE): st.sampled_from(["s3:shop/a", ":local:/mnt/disk", ":sftp,host=b.example:x"]),
    id(words.REDIS_URL): st.sampled_from(["", "redis://:p@h:6379/0", "${PROD_REDIS_URL}"]),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    if id(kind) in _SAMPLES:
        return _SAMPLES[id(kind)]
    if isinstance(kind, probe_words.JsonValue):
        plain = st.one_of(st.booleans(), st.integers(-(2**40), 2**40), st.text(), st.floats(allow_nan=False, width=32))
        plain = plain.filter(lambda v: not isinstance(v, float) or v not in (math.inf, -math.inf))
        whole = st.recursive(plain, lambda v: st.one_of(st.lists(v), st.dictionaries(st.text(), v)), max_leaves=5)
        if isinstance(kind, probe_words.JsonBody):
            whole = st.one_of(st.lists(whole), st.dictionaries(st.text(), whole))
        return whole.map(lambda v: json.dumps(v, ensure_ascii=False, sort_keys=True))
    if isinstance(kind, kinds.Choice):
        return st.sampled_from(kind.words)
    if isinstance(kind, kinds.Flag):
        return st.booleans()
    if isinstance(kind, kinds.Whole):
        return st.integers(kind.least, kind.most)
    if isinstance(kind, kinds.Number):
        return st.floats(kind.least, kind.most)
    if isinstance(kind, measures.Size):
        sizes = st.integers(measures.bytes_of(kind.least) or 0, measures.bytes_of(kind.most) or 0)
        return st.one_of(st.just(0), sizes) if kind.none else sizes
    if isinstance(kind, measures.Percent):
        least, most = (int(float(bound[:-1]) * 100) for bound in (kind.least, kind.most))
        return st.integers(least, most).map(lambda n: n / 10_000)
    if isinstance(kind, measures.Duration):
        least, most = (float(measures.seconds_of(bound) or 0) for bound in (kind.least, kind.most))
        factor = 1000.0 if kind.in_ms else 1.0
        return st.one_of(
            st.floats(least * factor, most * factor).map(lambda v: round(v, 6)).filter(lambda v: v >= least * factor),
            st.sampled_from([least * factor, most * factor]),
        )
    if isinstance(kind, kinds.ListOf):
        lists = st.lists(values_of(kind.item), max_size=3, unique=True)
        return lists.map(lambda v: tuple(sorted(v)) if kind is words.STEPS else tuple(v))
    if isinstance(kind, kinds.Text):
        return st.just(json.loads(kind.example))
    assert isinstance(kind, kinds.MapOf)
    return st.dictionaries(values_of(kind.name), values_of(kind.value), max_size=2).map(MappingProxyType)


def field_values(each: Declared) -> st.SearchStrategy[Any]:
    key = each.key
    if isinstance(key, Key):
        return values_of(key.kind) if each.is_required else st.one_of(st.just(each.default), values_of(key.kind))
    assert isinstance(key, Table)
    if key.names is not None:
        return st.dictionaries(values_of(key.names), tables(key.of), max_size=2).map(MappingProxyType)
    if key.is_list:
        return st.lists(tables(key.of), min_size=int(key.of is Smoke), max_size=2).map(tuple)
    return st.one_of(st.just(each.default), tables(key.of))


def tables(of: type[Any]) -> st.SearchStrategy[Any]:
    made = st.builds(of, **{d.field: field_values(d) for d in declared(of)})
    return made.map(fitted)


def fitted(made: Any) -> Any:
    """Mend what the rules between keys would refuse."""
    if isinstance(made, PythonBuild) and made.manager != "pip":
        return dataclasses.replace(made, requirements=(), as_of=made.as_of if made.manager == "setuptools" else "")
    if isinstance(made, Health) and (made.successes - 1) * made.interval_s >= made.timeout_s:
        return dataclasses.replace(made, successes=1)
    if isinstance(made, EnvVar):
        made = dataclasses.replace(made, choices=("a", "b") if made.type == "enum" else ())
        if made.value and made.generate:
            made = dataclasses.replace(made, value="")
        if made.value or made.generate:
            made = dataclasses.replace(made, source="")
        return dataclasses.replace(made, at="run") if made.is_secret and made.at == "build" else made
    if isinstance(made, Margins) and made.slower_ask > made.slower:
        return dataclasses.replace(made, slower_ask=made.slower)
    if isinstance(made, Windows) and next_open(0, made.allow, made.deny) is None:
        return dataclasses.replace(made, deny=())
    if isinstance(made, Smoke):
        without = dataclasses.replace(made, json="", form={}, body="")
        return dataclasses.replace(without, method="POST", json=made.json) if made.json else without
    if isinstance(made, Journey):
        plain = (dataclasses.replace(step, keep={}) for step in made.steps)
        return dataclasses.replace(made, steps=tuple(plain))
    if isinstance(made, KeepAwakeKeys):
        return dataclasses.replace(made, every_s=60.0, sleeps_after_s=90.0, allowance_s=max(90.0, made.allowance_s))
    if isinstance(made, LimitKeys):
        return dataclasses.replace(made, of="errors", over="2%", under="")
    if getattr(made, "extensions", None) and made.url:
        return dataclasses.replace(made, url="")
    return made


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(Manifest), st.text(max_size=20))
def test_every_manifest_reads_back_as_it_was(manifest: Manifest, comment: str) -> None:
    comments = dict.fromkeys(("", "app", "processes.web", "health.path", "env", "services.postgres"), comment)
    assert read_manifest(render(manifest)) == manifest
    assert read_manifest(render(manifest, comments=comments)) == manifest


def test_only_what_differs_from_the_defaults_is_written() -> None:
    text = render(Manifest(app="shop", processes={"web": Process(command="serve $PORT")}))
    assert text == 'manifest = 1\napp = "shop"\n\n[processes.web]\ncommand = "serve $PORT"\n'


def test_comments_stand_above_their_key() -> None:
    manifest = read_manifest('app = "shop"\n[env]\nA = "1"\n[processes.web]\ncommand = "x"\ncwd = "b"\n')
    text = render(
        manifest, comments={"": "Head.", "processes.web.cwd": "from Procfile:1", "env.A": "from .env.example:3"}
    )
    lines = text.splitlines()
    assert lines[0] == "# Head."
    assert lines[lines.index('cwd = "b"') - 1] == "# from Procfile:1"
    assert lines[lines.index('A = "1"') - 1] == "# from .env.example:3"


def test_a_comment_cannot_become_a_key() -> None:
    text = render(Manifest(app="shop"), comments={"app": "one\r\napp = 'evil'\x85tls = 'auto'\u2028x = 1"})
    assert read_manifest(text) == Manifest(app="shop")


def test_the_example_survives() -> None:
    manifest = read_manifest(EXAMPLE)
    assert read_manifest(render(manifest)) == manifest


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("${hosts}", "shop.example.com,shop.localhost,localhost,127.0.0.1"),
        ("${hosts_json}", '["shop.example.com", "shop.localhost", "localhost", "127.0.0.1"]'),
        ("${origins}", "https://shop.example.com,http://shop.localhost:8080"),
        ("${url}/login", "https://shop.example.com/login"),
        ("${app}-${host}-${other}", "shop-shop.example.com-${other}"),
        ("${" + string.ascii_letters + "}", "${" + string.ascii_letters + "}"),
    ],
)
def test_words_of_env_stand_for_the_apps_names(value: str, result: str) -> None:
    assert expand(value, app="shop", domains=["shop.example.com"], tls="auto") == result


def test_a_manifest_gets_the_names_it_has_on_this_machine() -> None:
    manifest = read_manifest(
        'app = "shop"\n[env]\nA = "${url}"\nEMPTY = ""\nB = {generate = "hex"}\nC = {value = "${app}", secret = true}\n'
    )
    named = with_own_names(manifest, http_port=80)
    assert named.env["A"].value == "http://shop.localhost"
    assert named.env["EMPTY"].value == ""
    assert named.env["B"] == manifest.env["B"]
    assert named.env["C"] == EnvVar(value="shop", secret=True)
