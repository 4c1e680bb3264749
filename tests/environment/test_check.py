"""Each finding of the check: what it says, whether it stops a deploy, and what nearly matches and is none."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from underway.environment.check import Scene, check
from underway.environment.layers import Layer, chain, layers_of, require_known, resolve, settled
from underway.manifest.env_keys import EnvVar
from underway.manifest.fits import whole_fits
from underway.manifest.model import EnvironmentKeys, Manifest
from underway.manifest.read import read_manifest
from underway.manifest.spot import Found, Spot
from underway.terms.environment import BASE, Holder, Kept, Read
from underway.terms.problem import Refusal
from underway.terms.secret import Secret

DAY = 86_400.0
NOW = 1_000 * DAY
GOOD = "zK3vQ9xW7mN5pR2tYb8L"


def found(
    variable: EnvVar | None = None,
    value: str | None = GOOD,
    *,
    name: str = "API_KEY",
    environment: str = "production",
    set_at: float = NOW,
    expires_at: float = 0.0,
    holder: Holder = Holder.VAULT,
    **scene: object,
) -> dict[str, bool]:
    """Codes and whether each stops a deploy. No finding may hold the value of a secret."""
    manifest = Manifest(app="shop", env={name: variable} if variable is not None else {})
    kept = {name: Kept(value=Secret(value), set_at=set_at, expires_at=expires_at)} if value is not None else {}
    layers = [Layer(holder, environment, "", kept)] if kept else []
    at = Scene(manifest, environment, resolve(manifest, layers), now=NOW, **scene)
    findings = check(at)
    for finding in findings:
        assert finding.problem.where
        assert finding.problem.remedy
        assert value is None or len(value) < 8 or value not in f"{finding.problem}"
    return {finding.problem.code: finding.stops for finding in findings}


def read(name: str, **more: bool) -> tuple[Read, ...]:
    return (Read(name=name, where="app.py:3", **more),)


def jwt(claims: Mapping[str, object]) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (found(EnvVar(secret=True, required=True)), {}),
        (found(EnvVar(secret=True, required=True), None), {"env.missing": True}),
        (found(EnvVar(required=True), "", holder=Holder.MANIFEST), {"env.missing": True}),
        (found(EnvVar(secret=True), None), {}),
        (found(EnvVar(required_in=("production",)), None), {"env.missing": True}),
        (found(EnvVar(required_in=("staging",)), None), {}),
        (found(EnvVar(type="int"), "four"), {"env.malformed": True}),
        (found(EnvVar(type="url"), "localhost"), {"env.malformed": True}),
        (found(EnvVar(secret=True, min_entropy=200)), {"env.weak": True}),
        (found(EnvVar(secret=True), "aaaaaaaaaaaaaaaaaaaa"), {"env.weak": True}),
        (found(EnvVar(secret=True), "changeme"), {"env.default": True}),
        (found(EnvVar(secret=True), "dev-secret"), {"env.default": True}),
        (found(EnvVar(), "changeme"), {}),
        (found(EnvVar(forbid=("letmein2",)), "letmein2"), {"env.forbidden": True}),
        (found(EnvVar(secret=True), examples={"API_KEY": GOOD}), {"env.default": True}),
        (found(EnvVar(secret=True, example=GOOD)), {"env.default": True}),
        (found(EnvVar(), examples={"API_KEY": GOOD}), {}),
        (found(EnvVar(secret=True), in_history=frozenset({"API_KEY"})), {"env.in-history": True}),
        (found(EnvVar(secret=True), expires_at=NOW - 1), {"env.expired": True}),
        (found(EnvVar(secret=True), expires_at=NOW + 3 * DAY), {"env.expires": False}),
        (found(EnvVar(secret=True), expires_at=NOW + 30 * DAY), {}),
        (found(EnvVar(secret=True), jwt({"exp": NOW - 5})), {"env.expired": True}),
        (found(EnvVar(secret=True), jwt({"exp": NOW + 300 * DAY})), {}),
        (found(EnvVar(secret=True, rotates_s=90 * DAY), set_at=NOW - 91 * DAY), {"env.overdue": False}),
        (found(EnvVar(secret=True, rotates_s=90 * DAY), set_at=NOW - 89 * DAY), {}),
    ],
    ids=str,
)  # fmt: skip
def test_a_value(got: dict[str, bool], wanted: dict[str, bool]) -> None:
    assert got == wanted


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (found(None, None, reads=read("MAIL_KEY")), {"env.undeclared": False}),
        (found(None, None, reads=read("PORT")), {}),
        (found(None, None, reads=read("NODE_ENV")), {}),
        (found(None, None, reads=read("AWS_BUCKET")), {"env.undeclared": False}),
        (found(None, None, files={"MAIL_KEY": ".env.example:2"}), {"env.undeclared": False}),
        (found(None, None, reads=read("MAIL_KEY"), files={"MAIL_KEY": "compose.yml:2"}), {"env.undeclared": False}),
        (found(EnvVar(), "x", reads=read("API_KEY")), {}),
        (found(EnvVar(), "x", reads=read("OTHER")), {"env.unused": False, "env.undeclared": False}),
        (found(EnvVar(), "x", reads=()), {}),
        (found(EnvVar(), "x", reads=read("Api_Key")), {"env.case": False}),
        (found(EnvVar(), "x", reads=(*read("OTHER"), *read("API_KEY"))), {"env.undeclared": False}),
        (found(EnvVar(), "x", name="GUNICORN_CMD_ARGS", reads=read("OTHER")), {"env.undeclared": False}),
        (found(EnvVar(), "x", reads=read("Z"), mentioned=frozenset({"API_KEY"})), {"env.undeclared": False}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_read_and_what_is_set(got: dict[str, bool], wanted: dict[str, bool]) -> None:
    assert got == wanted


@pytest.mark.parametrize("prefix", ["NEXT_PUBLIC_", "VITE_", "REACT_APP_", "NUXT_PUBLIC_"])
def test_a_secret_under_a_public_prefix_stops_a_deploy(prefix: str) -> None:
    assert found(EnvVar(secret=True), name=f"{prefix}KEY") == {"env.public-secret": True}
    assert found(EnvVar(), name=f"{prefix}KEY") == {}


def test_what_staging_sets_and_production_does_not_is_a_finding() -> None:
    elsewhere = {"staging": frozenset({"API_KEY", "MAIL_KEY"})}
    both = found(EnvVar(secret=True), elsewhere=elsewhere, reads=(*read("API_KEY"), *read("MAIL_KEY")))
    assert both["env.only-elsewhere"] is False
    assert "env.only-elsewhere" not in found(EnvVar(secret=True), elsewhere={"staging": frozenset({"API_KEY"})})


def test_all_problems_are_told_at_once_those_that_stop_first() -> None:
    manifest = Manifest(
        app="shop",
        env={
            "A": EnvVar(required=True),
            "B": EnvVar(type="int"),
            "C": EnvVar(secret=True),
            "D": EnvVar(secret=True, rotates_s=DAY),
        },
    )
    values = {
        "B": Kept(value=Secret("x")),
        "C": Kept(value=Secret("changeme")),
        "D": Kept(value=Secret(GOOD), set_at=NOW - 9 * DAY),
    }
    layers = [Layer(Holder.VAULT, "production", "", values)]
    scene = Scene(
        manifest, "production", resolve(manifest, layers), now=NOW, reads=read("Q"), mentioned=frozenset("ABCD")
    )
    assert [finding.problem.code for finding in check(scene)] == [
        "env.missing",
        "env.malformed",
        "env.default",
        "env.overdue",
        "env.undeclared",
    ]


LAYERED = Manifest(
    app="shop",
    env={
        "A": EnvVar(default="of default"),
        "B": EnvVar(default="of default", value="of base"),
        "C": EnvVar(value="of base"),
        "D": EnvVar(value="of base"),
        "E": EnvVar(value="of base"),
        "F": EnvVar(value="of base"),
    },
    environments={
        "staging": EnvironmentKeys(env={"C": "of staging", "D": "of staging", "E": "of staging", "F": "of staging"}),
        "preview": EnvironmentKeys(inherits="staging", env={"D": "of preview", "E": "of preview", "F": "of preview"}),
    },
)


def test_the_highest_layer_counts_and_what_it_covers_is_known() -> None:
    vault = {"preview": {"E": Kept(value=Secret("of the vault"))}}
    layers = layers_of(LAYERED, "preview", vault=vault, files={}, own={})
    entries = resolve(LAYERED, layers)
    assert {name: entry.value.reveal() for name, entry in entries.items() if entry.value} == {
        "A": "of default",
        "B": "of base",
        "C": "of staging",
        "D": "of preview",
        "E": "of the vault",
        "F": "of preview",
    }
    assert [origin.says() for origin in entries["E"].over] == [
        "preview (underway.toml)",
        "staging (underway.toml)",
        "base (underway.toml)",
    ]
    assert chain(LAYERED, "preview") == ("base", "staging", "preview")
    assert chain(LAYERED, "production") == ("base", "production")


def test_a_process_has_the_last_word_and_sees_only_what_is_for_it() -> None:
    text = """manifest = 1
app = "shop"
[processes.web]
command = "web"
env = {A = "of web"}
[processes.mail]
command = "mail"
[env]
A = "of base"
KEY = {secret = true, processes = ["mail"]}
"""
    manifest = read_manifest(text)
    vault = {"production": {"KEY": Kept(value=Secret(GOOD)), "A": Kept(value=Secret("of the vault"))}}

    def of(process: str) -> dict[str, str]:
        layers = layers_of(manifest, "production", process, vault=vault, files={}, own={})
        entries = resolve(manifest, layers, process)
        return {name: entry.value.reveal() for name, entry in entries.items() if entry.value}

    assert of("web") == {"A": "of web"}
    assert of("mail") == {"A": "of the vault", "KEY": GOOD}


def test_what_only_a_channel_names_is_no_processes() -> None:
    manifest = read_manifest(
        """
        app = "shop"
        [processes]
        web = "true"
        [services]
        redis = true
        [env]
        DECLARED = {secret = true}
        [alerts]
        heartbeat = "${BEAT}"
        [[alerts.channels]]
        name = "team"
        url = "${HOOK}"
        key = "${DECLARED}"
        [[alerts.channels]]
        name = "both"
        url = "${READ}"
        key = "${REDIS_PASSWORD}"
        """
    )
    files = {BASE: {"HOOK": Kept(value=Secret("https://hooks.example.com/1"))}}
    env = settled(manifest, "production", files, ["READ"]).env
    assert {name for name, variable in env.items() if variable.at == "agent"} == {"BEAT", "HOOK"}
    assert env["HOOK"].value == "https://hooks.example.com/1"
    assert env["HOOK"].is_secret
    assert env["DECLARED"].is_run_with


def test_an_environment_that_nobody_knows_is_refused_and_those_that_are_are_named() -> None:
    require_known(LAYERED, "preview", ())
    require_known(LAYERED, "qa", ("qa",))
    with pytest.raises(Refusal) as refused:
        require_known(LAYERED, "qa", ())
    (problem,) = refused.value.problems
    assert problem.code == "env.environment-unknown"
    assert "preview, production, staging" in problem.why


@pytest.mark.parametrize(
    ("environments", "says"),
    [
        ('[environments.a]\ninherits = "b"\n[environments.b]\ninherits = "a"\n', "a → b → a"),
        ('[environments.a]\ninherits = "staginng"\n[environments.staging]\n', "production, staging"),
        ('[environments.a]\ninherits = "production"\n', ""),
        ('[environments.a]\ninherits = "b"\n[environments.b]\n', ""),
    ],
)
def test_an_inheritance_that_cannot_be_is_refused(environments: str, says: str) -> None:
    text = 'manifest = 1\napp = "shop"\n[processes.web]\ncommand = "web"\n[env]\nA = "1"\n'
    found = Found("underway.toml", lambda path: 1)
    whole_fits(read_manifest(text + environments), Spot(found))
    assert any(says in f"{problem}" for problem in found.all()) if says else not found.all()


def test_a_value_over_the_base_may_be_wrong_too() -> None:
    manifest = replace(LAYERED, env={**LAYERED.env, "C": EnvVar(type="int", value="1")})
    layers = layers_of(manifest, "staging", vault={}, files={}, own={})
    findings = check(Scene(manifest, "staging", resolve(manifest, layers), now=NOW))
    assert [(it.problem.code, it.name) for it in findings] == [("env.malformed", "C")]
