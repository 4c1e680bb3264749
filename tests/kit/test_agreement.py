"""One table of values: what the deploy's check refuses, the app does not start with, and the other way round."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from underway.environment.check import Scene, check
from underway.environment.layers import Layer, resolve
from underway.environment.typed import python_settings
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest
from underway.terms.environment import Holder, Kept
from underway.terms.secret import Secret

PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"
CASES: list[tuple[EnvVar, str, bool]] = [
    (EnvVar(type="str"), "anything at all", True),
    (EnvVar(type="int"), "42", True),
    (EnvVar(type="int"), "-7", True),
    (EnvVar(type="int"), "4.2", False),
    (EnvVar(type="int"), "four", False),
    (EnvVar(type="float"), "4.2e3", True),
    (EnvVar(type="float"), "nan", False),
    (EnvVar(type="float"), "1e999", False),
    (EnvVar(type="bool"), "Yes", True),
    (EnvVar(type="bool"), "off", True),
    (EnvVar(type="bool"), "2", False),
    (EnvVar(type="url"), "https://shop.example.com/a?b=c", True),
    (EnvVar(type="url"), "ftp://shop.example.com", False),
    (EnvVar(type="url"), "https://", False),
    (EnvVar(type="url"), "https://a b", False),
    (EnvVar(type="dsn"), "postgresql+asyncpg://u:p%40@db:5432/shop", True),
    (EnvVar(type="dsn"), "sqlite:///data.db", True),
    (EnvVar(type="dsn"), "db:5432/shop", False),
    (EnvVar(type="dsn"), "postgres://db:port/shop", False),
    (EnvVar(type="email"), "Shop <mail@example.com>", True),
    (EnvVar(type="email"), "mail@", False),
    (EnvVar(type="host"), "db.internal", True),
    (EnvVar(type="host"), "::1", True),
    (EnvVar(type="host"), "db:5432", False),
    (EnvVar(type="port"), "65535", True),
    (EnvVar(type="port"), "0", False),
    (EnvVar(type="duration"), "1h30m", True),
    (EnvVar(type="duration"), "30", True),
    (EnvVar(type="duration"), "soon", False),
    (EnvVar(type="bytes"), "10MiB", True),
    (EnvVar(type="bytes"), "10XB", False),
    (EnvVar(type="json"), '{"a": [1, null]}', True),
    (EnvVar(type="json"), "{a: 1}", False),
    (EnvVar(type="json"), "NaN", False),
    (EnvVar(type="enum", choices=("debug", "info")), "info", True),
    (EnvVar(type="enum", choices=("debug", "info")), "INFO", False),
    (EnvVar(type="list of int"), "1, 2,3", True),
    (EnvVar(type="list of int"), '["1", 2]', True),
    (EnvVar(type="list of int"), "1,b", False),
    (EnvVar(type="list"), "a,b", True),
    (EnvVar(type="pem", secret=True), PEM, True),
    (EnvVar(type="pem", secret=True), PEM.replace("\n", "\\n"), True),
    (EnvVar(type="pem", secret=True), "-----BEGIN PRIVATE KEY-----", False),
    (EnvVar(type="regex", pattern="sk_[a-z0-9]+"), "sk_a1", True),
    (EnvVar(type="regex", pattern="sk_[a-z0-9]+"), "pk_a1", False),
    (EnvVar(secret=True), "zK3vQ9xW7mN5pR2t", True),
    (EnvVar(secret=True), "changeme", False),
    (EnvVar(secret=True), "dev-secret", False),
    (EnvVar(secret=True), "django-insecure-8f7s6df87s6df", False),
    (EnvVar(secret=True), "your-secret-key-here", False),
    (EnvVar(secret=True), "please-change-me-in-production", False),
    (EnvVar(secret=True, min_entropy=100), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", False),
    (EnvVar(secret=True, min_entropy=100), "zK3vQ9xW7mN5pR2tYb8LcD4fGhJkVnMs", True),
    (EnvVar(forbid=("letmein2",)), "letmein2", False),
]


def as_required(variable: EnvVar) -> EnvVar:
    from dataclasses import replace

    return replace(variable, required=True)


def stops(variable: EnvVar, value: str) -> bool:
    manifest = Manifest(app="shop", env={"NAME": as_required(variable)})
    layers = [Layer(Holder.VAULT, "production", "", {"NAME": Kept(value=Secret(value))})]
    scene = Scene(manifest, "production", resolve(manifest, layers), now=0.0)
    found = check(scene)
    assert not any(value in f"{it.problem}" for it in found if len(value) > 4 and variable.secret)
    return any(it.stops for it in found)


@pytest.mark.parametrize(("variable", "value", "is_good"), CASES, ids=lambda it: str(it)[:40])
def test_the_check_before_a_deploy(variable: EnvVar, value: str, is_good: bool) -> None:
    assert stops(variable, value) is not is_good


def test_the_start_of_the_app_agrees_with_the_check_on_every_case(tmp_path: Path) -> None:
    """All cases in one class: the good ones alone start; with the bad ones each is named, and no value is printed."""
    pytest.importorskip("pydantic_settings", reason="needs pydantic-settings, the extra `settings`")
    names = {f"CASE_{number}": case for number, case in enumerate(CASES)}
    started = run(tmp_path, {name: case for name, case in names.items() if case[2]})
    assert (started.returncode, started.stderr) == (0, "")
    refused = run(tmp_path, names)
    assert refused.returncode == 78
    told = {line.split(":")[0].strip() for line in refused.stderr.splitlines() if line.startswith("  CASE_")}
    assert told == {name for name, case in names.items() if not case[2]}
    for variable, value, is_good in CASES:
        if not is_good and variable.secret and len(value) > 4:
            assert value not in refused.stderr + refused.stdout
    assert "Traceback" not in refused.stderr


def test_a_variable_that_is_not_set_is_told_with_all_others(tmp_path: Path) -> None:
    pytest.importorskip("pydantic_settings", reason="needs pydantic-settings, the extra `settings`")
    missing = {name: (EnvVar(type="int"), None, False) for name in ("ONE", "TWO")}
    refused = run(tmp_path, missing)
    assert refused.returncode == 78
    assert "ONE: it is not set" in refused.stderr
    assert "TWO: it is not set" in refused.stderr


def run(folder: Path, cases: dict) -> subprocess.CompletedProcess[str]:
    manifest = Manifest(app="shop", env={name: as_required(case[0]) for name, case in cases.items()})
    (folder / "made_settings.py").write_text(python_settings(manifest))
    environ = {name: case[1] for name, case in cases.items() if case[1] is not None}
    code = "import made_settings; found = made_settings.Settings(); repr(found)"
    src = Path(__file__).resolve().parents[2] / "src"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{src}:{folder}", "LANG": "C.UTF-8", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
