"""What is asked of the kernel about processes, of real ones."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from underway.drivers import proc


@pytest.fixture
def replacing_themselves(tmp_path: Path) -> Iterator[tuple[str, set[int]]]:
    """A home's id, and two processes of it that do nothing but replace themselves by execve(2)."""
    script = tmp_path / "again.sh"
    script.write_text(f"exec /bin/sh {script}\n")
    home = secrets.token_hex(8)
    with ExitStack() as ended:
        started = [subprocess.Popen(["/bin/sh", script], env={proc.HOME_MARK: home}) for _ in range(2)]
        for one in started:
            ended.callback(one.wait)
            ended.callback(one.kill)
        yield home, {one.pid for one in started}


def test_a_process_that_is_replacing_itself_is_seen(replacing_themselves: tuple[str, set[int]]) -> None:
    home, pids = replacing_themselves
    # one look in twenty came while a process had its new memory and no environment in it yet
    assert [look for look in range(300) if {mark.stat.pid for mark in proc.marked(home)} != pids] == []
