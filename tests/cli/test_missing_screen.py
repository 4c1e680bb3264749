"""What is missing, on one screen of 80 columns: what was found, why, and the very lines that answer it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from underway.cli.render.terminal import continued
from underway.detect import Machine, complete
from underway.terms.outcome import Outcome
from underway.terms.problem import Refusal
from underway.terms.tree import Tree

COLUMNS, ROWS = 80, 50


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "shop"
    (folder / "configuration").mkdir(parents=True)
    (folder / "main.py").write_text("from fastapi import FastAPI\nimport configuration.settings\napp = FastAPI()\n")
    (folder / "configuration" / "settings.py").write_text(
        "import os\n"
        'KEY = os.environ["STRIPE_SECRET_KEY"]\n'
        'REGION = os.environ["STRIPE_ACCOUNT_REGION"]\n'
        'WEBHOOK = os.environ["PAYMENT_PROVIDER_WEBHOOK_SECRET"]\n'
    )
    (folder / "requirements.txt").write_text("fastapi\nuvicorn\n")
    yield folder
    if (tmp_path / "home").exists():  # a dry run with a manifest starts the agent
        stop = [sys.executable, "-m", "underway", "agent", "stop", "--all", "--yes"]
        environ = {**os.environ, "UNDERWAY_HOME": str(tmp_path / "home")}
        subprocess.run(stop, env=environ, capture_output=True, timeout=60, check=True)


def screen(folder: Path, *words: str) -> tuple[int, list[str]]:
    """The exit code and the lines that a terminal of 80 columns shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environ = {**os.environ, "UNDERWAY_HOME": str(folder.parent / "home"), "NO_COLOR": "1", "TERM": "xterm"}
    environ.pop("COLUMNS", None)
    with subprocess.Popen(
        [sys.executable, "-m", "underway", *words],
        env=environ, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        process.wait(60)
    os.close(ours)
    return process.returncode, shown.decode().replace("\r\n", "\n").splitlines()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def test_one_screen_tells_what_was_found_what_is_missing_and_how_to_answer(shop: Path) -> None:
    code, lines = screen(shop, "init", "--explain")
    text = "\n".join(lines)
    assert code == Outcome.REFUSED.exit_code
    assert len(lines) < ROWS
    assert max(map(len, lines)) <= COLUMNS, "no line is broken by the terminal"
    assert "FastAPI: main:app  main.py:3" in text
    assert "Missing: 3 values that only you know" in text
    for line, name in ((2, "STRIPE_SECRET_KEY"), (3, "STRIPE_ACCOUNT_REGION"), (4, "PAYMENT_PROVIDER_WEBHOOK_SECRET")):
        assert f"    {name}  configuration/settings.py:{line}" in lines
    start = lines.index("      underway env set STRIPE_SECRET_KEY STRIPE_ACCOUNT_REGION \\")
    assert lines[start + 1] == "        PAYMENT_PROVIDER_WEBHOOK_SECRET", (
        "the command asks for all, and is one when pasted"
    )
    assert lines[lines.index("      [env]") :][:4] == [
        "      [env]",
        '      STRIPE_SECRET_KEY = "…"',
        '      STRIPE_ACCOUNT_REGION = "…"',
        '      PAYMENT_PROVIDER_WEBHOOK_SECRET = "…"',
    ]
    assert "      underway deploy --allow-missing" in lines


def test_the_lines_that_are_shown_are_all_it_takes(shop: Path) -> None:
    _, lines = screen(shop, "init", "--explain")
    start = lines.index("      [env]")
    added = "\n".join(line.strip().replace("…", "x") for line in lines[start : start + 4])
    paths = ("configuration/settings.py", "main.py", "requirements.txt")
    tree = Tree(name="shop", paths=paths, texts={path: (shop / path).read_text() for path in paths})
    machine = Machine(cpus=2, pythons=("3.11", "3.12"))
    with pytest.raises(Refusal):
        complete(tree, machine, None)
    manifest, _ = complete(tree, machine, added)
    assert manifest.env["STRIPE_SECRET_KEY"].value == "x"


def test_a_file_that_has_the_table_gets_the_lines_without_a_second_one(shop: Path) -> None:
    (shop / "underway.toml").write_text('[env]\nSTRIPE_ACCOUNT_REGION = "eu"\n')
    _, lines = screen(shop, "deploy", "--dry-run")
    assert "under the [env] that is there:" in " ".join(line.strip() for line in lines)
    assert "      [env]" not in lines
    assert '      STRIPE_SECRET_KEY = "…"' in lines
    assert '      STRIPE_ACCOUNT_REGION = "…"' not in lines


@pytest.mark.parametrize("blank", ["…", "mysql://user:password@host:3306/name"])
def test_a_line_that_was_pasted_without_its_value_is_pointed_out(shop: Path, blank: str) -> None:
    (shop / "underway.toml").write_text(f'[env]\nSTRIPE_SECRET_KEY = "{blank}"\n')
    code, lines = screen(shop, "deploy", "--dry-run")
    assert code == Outcome.REFUSED.exit_code
    assert "✗ underway.toml:2 env.STRIPE_SECRET_KEY" in lines
    assert "  → write the value in its place" in lines


def test_a_command_that_goes_on_in_the_next_line_is_one_command() -> None:
    words = [f"NAME_{number}" for number in range(20)]
    lines = continued(" ".join([*["printf", "%s\\n"], *words]).replace("\\n", ","), 40)
    assert len(lines) > 4
    assert max(map(len, lines)) <= 40
    done = subprocess.run(["sh", "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout == ",".join([*words, ""])


@pytest.mark.parametrize(
    "command",
    ["openssl rand -base64 32 | tr '+/' '-_' | tee a-file-with-a-long-name", f"cat /srv/{'a' * 40}/build.log"],
    ids=["quotes", "a word that is wider"],
)
def test_a_command_that_would_not_be_clearer_is_never_broken(command: str) -> None:
    assert continued(command, 40) == [command]
