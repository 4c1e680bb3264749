"""Logs that programs write to while they are rotated."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from underway.drivers import process_log
from underway.drivers.clock.system import SystemClock
from underway.terms.process import InstanceState

Stage = Any

WRITER = """
import os, sys
for n in range(int(sys.argv[1])):
    if n % 5000 == 0:
        os.read(0, 1)
    os.write(1, b"%08d %s\\n" % (n, b"x" * (n % 120)))
"""
"""Writes 5,000 lines for each byte that it is sent: of a flood that nobody can follow only the end is kept."""


def test_rotation_under_load_loses_no_line(tmp_path: Path) -> None:
    log, lines = tmp_path / "web.log", 200_000
    written = b""
    fd = process_log.open_to_append(log)
    try:
        if not can_cut(fd):
            pytest.skip("this file system cannot cut the front of a file off")
        command = [sys.executable, "-I", "-S", "-c", WRITER, str(lines)]
        rotations = sent = 0
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=fd, bufsize=0) as writer:
            assert writer.stdin is not None
            while writer.poll() is None:
                if sent < lines // 5000 and len(written) + process_log.size(log) > 340_000 * (sent - 4):
                    sent += writer.stdin.write(b".")
                if process_log.rotate(log, 1_000_000, keep=1):
                    written += log.with_name("web.log.1").read_bytes()
                    rotations += 1
        written += log.read_bytes()
        assert rotations > 3
        assert written.split(b"\n")[:-1] == [b"%08d %s" % (n, b"x" * (n % 120)) for n in range(lines)]
    finally:
        os.close(fd)


def test_lines_are_read_on_through_rotation_each_once(tmp_path: Path) -> None:
    log, lines = tmp_path / "web.log", 60_000
    fd = process_log.open_to_append(log)
    try:
        if not can_cut(fd):
            pytest.skip("this file system cannot cut the front of a file off")
        command = [sys.executable, "-I", "-S", "-c", WRITER, str(lines)]
        at, found, rotations, sent, is_over = 0, list[str](), 0, 0, False
        more: list[tuple[int, str]] = []
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=fd, bufsize=0) as writer:
            assert writer.stdin is not None
            while not is_over or more:
                if sent < lines // 5000 and len(found) > 5000 * (sent - 2):  # it goes on writing meanwhile
                    sent += writer.stdin.write(b".")
                is_over = writer.poll() is not None
                more = process_log.lines_after(log, at)
                found += [line for _, line in more]
                at = more[-1][0] if more else at
                if at > 0 and (cut := process_log.rotate(log, 300_000, keep=1)):
                    at -= cut  # as the runtime does with the byte at which an instance began
                    rotations += 1
        assert rotations > 2
        assert found == [f"{n:08d} {'x' * (n % 120)}".rstrip() for n in range(lines)]
    finally:
        os.close(fd)


def test_rotation_where_files_cannot_be_cut_keeps_what_was_written_before_it() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        log, written = Path(folder) / "web.log", b""
        fd = process_log.open_to_append(log)
        try:
            for n in range(20):
                os.write(fd, b"%d\n" % n * 10_000)
                assert process_log.rotate(log, 10_000, keep=1) > 0
                written += log.with_name("web.log.1").read_bytes()
        finally:
            os.close(fd)
        assert written + log.read_bytes() == b"".join(b"%d\n" % n * 10_000 for n in range(20))


def can_cut(fd: int) -> bool:
    """True when the file system knows the operation: it then complains of the empty range, not of the operation."""
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    assert fallocate(fd, 0x08, ctypes.c_int64(0), ctypes.c_int64(0)) == -1
    return ctypes.get_errno() == errno.EINVAL


def test_the_parts_are_few_and_small(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    for n in range(6):
        with log.open("ab") as out:
            out.write(b"%d\n" % n * 30_000)
        assert process_log.rotate(log, 5_000, keep=3) > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["web.log", "web.log.1", "web.log.2", "web.log.3"]
    assert all(path.stat().st_size <= 20_000 for path in tmp_path.iterdir())
    assert (tmp_path / "web.log.1").read_bytes().endswith(b"5\n" * 10)


KILLED = """
import os, signal, sys
from pathlib import Path
from underway.drivers import process_log

log, ours = Path(sys.argv[1]), {"rotate", "_rotate", "_copy", "_make_newest"}

def killed_at(line):
    def trace(frame, event, _):
        nonlocal line
        if frame.f_code.co_filename == process_log.__file__ and frame.f_code.co_name in ours:
            line -= event == "line"
            if line == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
    return trace

def joined():
    parts = [log.with_name(f"{log.name}.{number}") for number in (3, 2, 1)]
    return b"".join(part.read_bytes() for part in (*parts, log) if part.exists())

for file in log.parent.iterdir():
    file.unlink()
line, status = 0, 1
while status:
    line += 1
    for number in (3, 2, 1):
        log.with_name(f"{log.name}.{number}").write_bytes(b"%d older\\n" % number * 1000)
    log.write_bytes(b"".join(b"%d\\n" % n for n in range(4000)))
    before = joined()
    child = os.fork()
    if not child:
        sys.settrace(killed_at(line))
        process_log.rotate(log, 5000)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    process_log.end_rotation(log)
    is_rotated = log.stat().st_size < 5000
    assert joined() == (before[8000:] if is_rotated else before), line
    assert sorted(file.name for file in log.parent.iterdir()) == [log.name, *(f"{log.name}.{n}" for n in (1, 2, 3))]
print(line)
"""
"""Kills a rotation at each of its lines, one after the other."""


@pytest.mark.parametrize("folder", [None, "/dev/shm"], ids=["cut", "emptied"])
def test_a_rotation_that_is_killed_loses_nothing(folder: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        words = [sys.executable, "-c", KILLED, f"{made}/web.log"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) > 25


def test_the_next_agent_ends_a_rotation(stage: Stage) -> None:
    log = stage.home.process_log("shop", "web", 1, "a")
    log.parent.mkdir(parents=True)
    log.write_text("new\n")
    log.with_name(f"{log.name}.from0").write_text("old\n" * 9)
    log.with_name(f"{log.name}.1").write_text("older\n")

    async def story() -> None:
        async with stage.runtime() as runtime:
            await runtime.adopt()

    stage.play(story)
    parts = {file.name: file.read_text() for file in log.parent.iterdir()}
    assert parts == {log.name: "new\n", f"{log.name}.1": "old\n" * 9, f"{log.name}.2": "older\n"}


def test_a_small_log_and_a_missing_one_are_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    assert process_log.rotate(log) == 0
    log.write_text("one\n")
    assert process_log.rotate(log) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["web.log"]


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("x" * 100)
    (tmp_path / "web.log").symlink_to(tmp_path / "victim")
    assert process_log.rotate(tmp_path / "web.log", 10) == 0
    with pytest.raises(OSError, match="symbolic"):
        process_log.open_to_append(tmp_path / "web.log")
    assert (tmp_path / "victim").read_text() == "x" * 100


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"plain\n", ("plain",)),
        (b"\x1b[31mred\x1b[0m \x1b]0;title\x07text\n", ("red text",)),
        (b"over\rwritten \x07bell\x00\n", ("overwritten bell",)),
        (b"\xff\xfe broken\n", ("\ufffd\ufffd broken",)),
        ("caf\u00e9 \u202eevil\u2028x\n".encode(), ("caf\u00e9 evilx",)),
        (b"a\tb\n\n\nlast line without end", ("a   b", "last line without end")),
        (b"x" * 5000 + b"\n", ("x" * 2000,)),
        (b"", ()),
    ],
)
def test_the_tail_is_fit_to_be_shown(tmp_path: Path, written: bytes, shown: tuple[str, ...]) -> None:
    (tmp_path / "log").write_bytes(written)
    assert process_log.tail(tmp_path / "log", 10) == shown


def test_the_tail_of_a_huge_log_is_the_end_of_it(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {n}\n" for n in range(100_000)))
    assert process_log.tail(tmp_path / "log", 3) == ("line 99997", "line 99998", "line 99999")


def test_an_instances_tail_holds_only_its_own_lines_also_after_rotation(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            first = stage.spec("echo first; exec sleep 60", release="r1")
            second = stage.spec("echo second; exec sleep 60", release="r2")
            await runtime.start(first, stage.env())
            await stage.until(lambda: runtime.log_tail(first.id))
            await runtime.stop(first.id)
            await runtime.start(second, stage.env())
            await stage.until(lambda: runtime.log_tail(second.id))
            assert runtime.log_tail(second.id) == ("second",)
        log = stage.home.process_log("shop", "web", 1, "a")
        begun = len("first\n")
        cut = process_log.rotate(log, 2)
        assert process_log.tail(log, 5, begun - cut) == ("second",)

    stage.play(story)


class Hasty(SystemClock):
    """A clock whose waits are short."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.01)


def test_a_running_instances_log_is_rotated_by_the_agent(stage: Stage) -> None:
    body = "import time\nwhile True: print('x' * 1000, flush=True); time.sleep(0.001)"

    async def story() -> None:
        async with stage.runtime(log_bytes=50_000, clock=Hasty()) as runtime:
            spec = stage.spec(stage.program("talks.py", body))
            await runtime.start(spec, stage.env())
            log = stage.home.process_log("shop", "web", 1, "a")
            await stage.until(log.with_name(log.name + ".3").exists)
            assert runtime.instances()[0].state is InstanceState.RUNNING
            await stage.until(lambda: runtime.log_tail(spec.id, 2) == ("x" * 1000,) * 2)
            assert not log.with_name(log.name + ".4").exists()

    stage.play(story)


def test_what_an_instance_wrote_is_read_from_its_own_start(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec = stage.spec(
                stage.program(
                    "talk", "print('one', flush=True)\nprint('two', flush=True)\nimport time\ntime.sleep(60)\n"
                )
            )
            await runtime.start(spec, stage.env())
            lines = await stage.until(lambda: (found := runtime.written(spec.id, 0)) and len(found) == 2 and found)
            assert [line for _, line in lines] == ["one", "two"]
            assert runtime.written(spec.id, lines[0][0]) == lines[1:]
            assert runtime.written(spec.id, lines[1][0]) == []
            assert runtime.written(spec.id, -4) == lines[1:]
            assert runtime.written("nobody", 0) == ()

    stage.play(story)
