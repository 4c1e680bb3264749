"""The releases of Letter Meadow: each patch applies, compiles, and the better one leaves the old one its tables."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from underway.cli.demo_play import SCENES, Scene, _lay_out, find_example

EXAMPLE = find_example()
RELEASES = EXAMPLE / "releases"
BETTER = "0002-better.patch"
SCHEMAS = ["0002-nickname.patch", "0002-portrait.patch"]
BAD = sorted(path.name for path in RELEASES.glob("*.patch") if path.name not in (BETTER, *SCHEMAS))

# What the release before could stumble over while it runs on the same tables.
TAKES_AWAY = re.compile(
    r"\b(drop|rename|truncate)\b|\balter\s+column\b|\bset\s+not\s+null\b|\b(delete\s+from|update)\b"
    r"|\bop\.(drop|alter|rename)_\w+|\badd\s+constraint\b",
    re.IGNORECASE,
)
ADDS_COLUMN = re.compile(r"\badd\s+(?:column\s+)?(?!constraint\b)\w+\s[^;,\"]*", re.IGNORECASE)


def not_expand_only(upgrade: str) -> list[str]:
    """The places of a migration's upgrade that do more than add."""
    found = [match.group() for match in TAKES_AWAY.finditer(upgrade)]
    for match in ADDS_COLUMN.finditer(upgrade):
        words = match.group().lower()
        if "not null" in words and "default" not in words:
            found.append(match.group())
    return found


@pytest.fixture
def git_env(tmp_path):
    """As `_lay_out` calls git: no repository above the copy is looked at."""
    return {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path), "GIT_DIR": os.devnull}


@pytest.fixture(params=["alone", "in a work tree"])
def work(request, tmp_path):
    """Where a copy is laid out: somewhere, or inside somebody's repository."""
    if request.param == "in a work tree":
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path / "learning"


def changed(work: Path) -> set[str]:
    """The files that are not as in the example; the demo's own manifest does not count."""
    out = set()
    for path in work.rglob("*"):
        name = path.relative_to(work)
        if name == Path("underway.toml"):
            continue
        if path.is_file() and (not (EXAMPLE / name).exists() or (EXAMPLE / name).read_bytes() != path.read_bytes()):
            out.add(str(name))
    return out


def compiles(work: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "app", "migrations", "traffic.py"],
        cwd=work,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("patch", [BETTER, *SCHEMAS, *BAD])
def test_a_patch_applies_and_compiles(patch, work):
    _lay_out(EXAMPLE, Scene("", patch), work)
    names = set(re.findall(r"^\+\+\+ b/(.+)$", (RELEASES / patch).read_text(), re.MULTILINE))
    assert names
    assert changed(work) == names
    compiles(work)


@pytest.mark.parametrize("patch", BAD)
def test_a_bad_release_can_follow_the_better_one(patch, tmp_path, git_env):
    work = tmp_path / "learning"
    _lay_out(EXAMPLE, Scene("", BETTER), work)
    subprocess.run(["git", "apply", str(RELEASES / patch)], cwd=work, env=git_env, check=True, capture_output=True)
    compiles(work)


def test_the_better_release_says_that_it_is_another_one(tmp_path):
    _lay_out(EXAMPLE, Scene("", BETTER), tmp_path / "learning")
    before, after = (
        dict(re.findall(r'^(\w+) = "(.+)"$', (root / "app" / "release.py").read_text(), re.MULTILINE))
        for root in (EXAMPLE, tmp_path / "learning")
    )
    assert before.keys() == after.keys() == {"VERSION", "RELEASE_NOTE"}
    assert all(before[name] != after[name] for name in before)


def test_the_better_releases_migration_only_adds(tmp_path):
    _lay_out(EXAMPLE, Scene("", BETTER), tmp_path / "learning")
    new = [tmp_path / "learning" / name for name in changed(tmp_path / "learning") if "versions" in name]
    assert len(new) == 1
    text = new[0].read_text()
    upgrade = text[text.index("def upgrade") : text.index("def downgrade")]
    assert "create table" in upgrade
    assert not_expand_only(upgrade) == []


@pytest.mark.parametrize(
    "statement",
    [
        "drop table letters",
        "alter table letters drop column box",
        "alter table letters alter column box type bigint",
        "alter table letters alter box set not null",
        "alter table letters rename box to place",
        "alter table letters add column colour text not null",
        "alter table letters add colour text not null",
        "op.drop_column('letters', 'box')",
        "op.alter_column('letters', 'box', nullable=False)",
    ],
)
def test_a_migration_that_takes_away_is_noticed(statement):
    assert not_expand_only(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "create table stickers (name text not null)",
        "alter table letters add column colour text",
        "alter table letters add column colour text not null default 'red'",
        "create index letters_box on letters (box)",
    ],
)
def test_a_migration_that_adds_is_not(statement):
    assert not_expand_only(statement) == []


def test_the_readme_lists_every_patch_and_its_commands_work(tmp_path):
    readme = (RELEASES / "README.md").read_text()
    assert set(re.findall(r"^\| `([\w.-]+\.patch)`", readme, re.MULTILINE)) == {BETTER, *SCHEMAS, *BAD}
    lines = re.search(r"```sh\n(.*?)```", readme, re.DOTALL).group(1).splitlines()
    assert lines[-1].startswith("underway deploy")
    clone = tmp_path / "clone"
    shutil.copytree(EXAMPLE, clone / "examples" / "learning", ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    script = "\n".join(lines[:-1]).replace("/tmp/meadow", str(tmp_path / "meadow"))
    done = subprocess.run(["sh", "-ec", script], cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "meadow" / "app" / "stickers.py").is_file()


def test_the_demo_plays_patches_that_exist():
    played = {scene.patch for scene in SCENES if scene.patch}
    assert played
    assert played <= {BETTER, *BAD}
