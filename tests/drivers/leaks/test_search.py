"""Secrets in real folders and real git histories, hostile ones among them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from underway.drivers.leaks.search import FileLeakSearch
from underway.flows.scan import ScanReport, scan
from underway.leaks.sarif import sarif
from underway.terms.home import Home

DOPPLER = "dp.st." + "prd.aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7b"
STRIPE = "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dcQx"
GITHUB = "ghp_" + "x9Kd83mQpZr5tYw2bNc7vLs4hGf6jEa1oUi0"
KEY = "kX93jf" + "Qm20dkLs9f3jsPq81ZtR"

Scan = Callable[..., ScanReport]


@pytest.fixture(scope="session")
def rules_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all, so that the rules are compiled once."""
    return tmp_path_factory.mktemp("scan-home")


@pytest.fixture(scope="session")
def look(rules_home: Path) -> Scan:
    search = FileLeakSearch(Home(rules_home))  # its rules take most of a second to load

    def look(root: Path, *, with_history: bool = True) -> ScanReport:
        return scan(search, str(root), with_history=with_history, today=date(2030, 1, 1))

    return look


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    return root


def git(root: Path, *args: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *args], cwd=root, env=env, check=True, capture_output=True, text=True).stdout


def commit(root: Path, says: str, **files: str) -> str:
    for name, text in files.items():
        (root / name).write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", says)
    return git(root, "rev-parse", "HEAD").strip()


def test_a_secret_is_found_at_its_line_with_the_commit_that_brought_it(repo: Path, look: Scan) -> None:
    commit(repo, "start", app="print('hello')\n")
    guilty = commit(repo, "pay", **{"pay.py": f'import stripe\n\nstripe.api_key = "{STRIPE}"\n'})
    commit(repo, "more", app="print('hello again')\n")
    (leak,) = look(repo).leaks
    assert (leak.path, leak.line, leak.column) == ("pay.py", 3, 19)
    assert (leak.commit, leak.author, leak.is_in_tree) == (guilty, "Ada", True)
    assert "stripe" in leak.rule


def test_a_secret_that_was_deleted_is_still_in_the_history(repo: Path, look: Scan) -> None:
    guilty = commit(repo, "oops", **{".env": f"DOPPLER_TOKEN={DOPPLER}\n"})
    (repo / ".env").unlink()
    commit(repo, "remove it", **{".gitignore": ".env\n"})
    (leak,) = look(repo).leaks
    assert (leak.path, leak.commit, leak.is_in_tree) == (".env", guilty, False)
    assert look(repo, with_history=False).leaks == ()


def test_a_secret_on_another_branch_and_in_a_stash_is_found(repo: Path, look: Scan) -> None:
    commit(repo, "start", app="1\n")
    git(repo, "checkout", "-q", "-b", "feature")
    commit(repo, "branch", **{"a.py": f'token = "{GITHUB}"\n'})
    git(repo, "checkout", "-q", "main")
    (repo / "app").write_text(f'API_KEY = "{KEY}"\n')
    git(repo, "stash")
    assert {leak.path for leak in look(repo).leaks} == {"a.py", "app"}


def test_nothing_that_is_kept_or_said_holds_the_secret(repo: Path, look: Scan, rules_home: Path) -> None:
    commit(repo, "all", **{"a.py": f'x = "{STRIPE}"\ny = "{GITHUB}"\n', ".env": f"T={DOPPLER}\nAPI_KEY={KEY}\n"})
    report = look(repo)
    assert len(report.leaks) == 4
    said = repr(report) + json.dumps(sarif(report.leaks, "1"))
    kept = b"".join(path.read_bytes() for path in rules_home.rglob("*") if path.is_file())
    for secret in (STRIPE, GITHUB, DOPPLER, KEY):
        assert secret not in said
        assert secret.encode() not in kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in (rules_home / "cache" / "scan").glob("*.db*"))


def test_what_was_looked_at_is_remembered_and_what_changed_is_not(repo: Path, look: Scan) -> None:
    commit(repo, "start", **{f"f{n}.py": f"x = {n}\n" for n in range(20)}, **{"b.py": f't = "{GITHUB}"\n'})
    first = look(repo)
    again = look(repo)
    assert again.leaks == first.leaks
    assert again.searched.from_cache == again.searched.files + again.searched.blobs == 42
    (repo / "b.py").write_text("t = 1\n")
    (repo / "f1.py").write_text(f'k = "{STRIPE}"\n')
    third = look(repo)
    assert {(leak.path, leak.is_in_tree) for leak in third.leaks} == {("f1.py", True), ("b.py", False)}
    assert third.searched.from_cache == 40


def test_ignored_files_are_where_local_secrets_belong(repo: Path, look: Scan) -> None:
    commit(repo, "start", **{".gitignore": ".env.local\n"})
    (repo / ".env.local").write_text(f"STRIPE={STRIPE}\n")
    assert look(repo).leaks == ()


def test_an_entry_with_a_reason_lets_one_stand(repo: Path, look: Scan) -> None:
    commit(repo, "start", **{"a.py": f'k = "{STRIPE}"\n', "b.py": f'k = "{GITHUB}"\n'})
    one = next(leak for leak in look(repo).leaks if leak.path == "a.py")
    allow = f'[[allow]]\nfingerprint = "{one.fingerprint}"\nreason = "revoked on the day it was pushed"\n'
    commit(repo, "allow", **{".underway-scan.toml": allow})
    report = look(repo)
    assert [leak.path for leak in report.leaks] == ["b.py"]
    assert [each.reason for each in report.allowed] == ["revoked on the day it was pushed"]


def test_encodings(tmp_path: Path, look: Scan) -> None:
    text = f'key = "{STRIPE}"\n'
    (tmp_path / "utf16.ini").write_bytes(text.encode("utf-16"))
    (tmp_path / "latin.ini").write_bytes("# Schlüssel für Überweisung\n".encode("latin-1") + text.encode())
    (tmp_path / "bom.ini").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (tmp_path / "crlf.ini").write_bytes(b"a=1\r\n" + text.replace("\n", "\r\n").encode())
    assert {leak.path for leak in look(tmp_path).leaks} == {"utf16.ini", "latin.ini", "bom.ini", "crlf.ini"}


def test_a_hostile_folder_neither_hangs_nor_leads_out(tmp_path: Path, look: Scan) -> None:
    outside = tmp_path / "outside"
    outside.write_text(f'key = "{STRIPE}"\n')
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.py").symlink_to(outside)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.py")
    (root / "packed.bin").write_bytes(b"\0\1\2" * 1000 + STRIPE.encode())
    (root / "huge.py").write_bytes(b"x" * 10_000_001)
    (root / "line.js").write_bytes(b"var a='" + b"ab1" * 1_000_000 + b"';")
    (root / os.fsdecode(b"b\xff\n\x1b[31m.py")).write_text(f'key = "{GITHUB}"\n')
    (root / "locked.py").write_text("x")
    report = look(root)
    assert [leak.rule.rpartition(".")[2] for leak in report.leaks] == ["github-pat"]
    assert [(each.path, each.why) for each in report.searched.unread] == [("huge.py", "larger than 10 MB")]


def test_a_repository_cannot_make_it_run_anything(repo: Path, look: Scan, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    commit(repo, "start", **{"a.py": f't = "{GITHUB}"\n', ".gitattributes": "*.py diff=evil filter=evil\n"})
    for key in (
        "core.fsmonitor",
        "diff.external",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "gpg.program",
        "core.pager",
        "core.sshCommand",
        "diff.evil.command",
    ):
        git(repo, "config", key, str(script))
    git(repo, "config", "log.showSignature", "true")
    assert [leak.path for leak in look(repo).leaks] == ["a.py"]
    assert not ran.exists()


def test_a_broken_repository_is_said_and_its_files_are_looked_at(repo: Path, look: Scan) -> None:
    commit(repo, "start", **{"a.py": f't = "{GITHUB}"\n'})
    for pack in (repo / ".git" / "objects").glob("??/*"):
        pack.chmod(0o644)
        pack.write_bytes(b"nothing")
    report = look(repo)
    assert [leak.path for leak in report.leaks] == ["a.py"]


def test_a_lost_memory_costs_time_only(repo: Path, look: Scan, rules_home: Path) -> None:
    commit(repo, "start", **{"a.py": f't = "{GITHUB}"\n'})
    first = look(repo)
    for path in (rules_home / "cache" / "scan").glob("*.db"):
        path.write_bytes(b"not a database, not at all" * 100)
    assert look(repo).leaks == first.leaks


def test_sarif_is_as_the_standard_says(repo: Path, look: Scan) -> None:
    path = Path(__file__).parents[3].parent / "shared/contracts/snyk/sarif-2.1.0.schema.json"
    if not path.exists():
        pytest.skip("../shared/contracts is not here")
    import jsonschema

    commit(repo, "start", **{"a b.py": f't = "{GITHUB}"\n'})
    made = sarif(look(repo).leaks, "1.0")
    schema = json.loads(path.read_text())
    validator = jsonschema.Draft7Validator(schema)
    assert list(validator.iter_errors(made)) == []
    made["runs"][0]["results"][0]["level"] = "loud"
    assert list(validator.iter_errors(made))
