"""Files made of the schema: what stands in each, that none holds a secret, and that an old one is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from underway.environment.dotenv import read
from underway.environment.files import documentation, drifted, example, template
from underway.environment.typed import python_settings, zod_schema
from underway.manifest.read import read_manifest

SECRET = "canary-in-the-manifest-Zk3v"
TEXT = f"""manifest = 1
app = "shop"
[processes.web]
command = "web"
[services]
postgres = true
[env]
API_KEY = {{secret = true, required = true, rotates = "90d", doc = "Key of the mail provider"}}
KEPT = {{secret = true, value = "{SECRET}"}}
SIGNING = {{generate = "rsa"}}
SITE = {{type = "url", example = "https://shop.example.com", required_in = ["production"]}}
LEVEL = {{type = "enum", choices = ["debug", "info"], default = "info"}}
SLOTS = {{type = "list of int", default = "1,2"}}
NAMES = "${{hosts}}"
DSN = {{from = "postgres"}}
BUILT = {{value = "1", at = "build"}}
[environments.production]
env = {{LEVEL = "info"}}
"""
MANIFEST = read_manifest(TEXT)
MADE = {
    ".env.example": example(MANIFEST),
    "docs/ENVIRONMENT.md": documentation(MANIFEST),
    "settings.py": python_settings(MANIFEST),
    "settings.ts": zod_schema(MANIFEST),
}


def test_the_example_has_what_people_set_and_reads_back() -> None:
    values = read(MADE[".env.example"], is_expanding=False)
    assert values == {
        "API_KEY": "",
        "KEPT": "",
        "SITE": "https://shop.example.com",
        "LEVEL": "info",
        "SLOTS": "1,2",
        "NAMES": "",
        "BUILT": "1",
    }
    assert "# Key of the mail provider\n# str, required, secret\nAPI_KEY=" in MADE[".env.example"]


def test_the_template_leaves_to_fill_in_only_what_is_needed() -> None:
    text = template(MANIFEST, "production")
    assert read(text, is_expanding=False) == {"API_KEY": "", "KEPT": "", "SITE": ""}
    assert "# LEVEL=info" in text


def test_the_page_says_of_each_what_it_must_be() -> None:
    page = MADE["docs/ENVIRONMENT.md"]
    row = next(line for line in page.splitlines() if line.startswith("| `API_KEY`"))
    for words in ("yes", "kept in the vault", "Key of the mail provider", "Renewed every 90 days"):
        assert words in row
    assert "| `LEVEL` | one of debug, info |" in page
    assert "generated (rsa)" in page
    assert "DATABASE_URL" in page


@pytest.mark.parametrize("name", [*MADE, "template"])
def test_no_file_holds_a_secret(name: str) -> None:
    assert SECRET not in MADE.get(name, template(MANIFEST, "production"))


def test_typed_settings_leave_out_what_only_a_build_gets() -> None:
    for name in ("settings.py", "settings.ts"):
        assert "BUILT" not in MADE[name]
        assert "API_KEY" in MADE[name]
    compile(MADE["settings.py"], "settings.py", "exec")
    assert "API_KEY: Annotated[SecretStr, Rule(type='str', secret=True)]" in MADE["settings.py"]
    assert 'LEVEL: z.preprocess((text) => text ?? "info", z.enum(["debug", "info"])),' in MADE["settings.ts"]


def test_a_change_of_the_schema_is_told_for_each_file() -> None:
    assert drifted(MANIFEST, MADE) == []
    changed = read_manifest(TEXT.replace("LEVEL = {", 'MORE = "1"\nLEVEL = {'))
    assert drifted(changed, MADE) == sorted(MADE)
    assert drifted(changed, {".env.example": "A=1\n", "own.py": "x = 1\n"}) == []


def test_the_commands_write_them_and_lint_fails_on_drift(tmp_path: Path) -> None:
    (tmp_path / "underway.toml").write_text(TEXT)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "underway", "env", *words, "--path", str(tmp_path)]
        environ = {**os.environ, "UNDERWAY_HOME": str(tmp_path / "home")}
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    assert run("example").returncode == 0
    assert run("settings", "--zod").returncode == 0
    for name in (".env.example", "settings.ts"):
        assert (tmp_path / name).read_text() == MADE[name]
    assert run("lint").returncode == 0
    (tmp_path / "underway.toml").write_text(TEXT.replace('default = "info"', 'default = "debug"'))
    told = run("lint")
    assert told.returncode == 3
    assert all(name in told.stdout for name in (".env.example", "settings.ts"))
    (tmp_path / ".env.example").write_text("MINE=1\n")
    assert run("example").returncode == 3
    assert (tmp_path / ".env.example").read_text() == "MINE=1\n"
