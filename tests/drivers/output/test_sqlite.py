"""Lines and errors on the disk: none lost, none twice, bounded, found again."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from underway.drivers import process_log
from underway.drivers.output.shelf import _CUT
from underway.drivers.output.sqlite import SqliteOutput
from underway.terms.home import Home
from underway.terms.output import LineAsk, Writer

NOW = 1_790_000_000.0
TRACE = """Traceback (most recent call last):
  File "/srv/shop/checkout.py", line {line}, in pay
    price = order["price"]
KeyError: 'price'
"""


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.logs("shop").mkdir(parents=True)
    return home


def writer(release="r1", begins=0, slot="a"):
    return Writer("shop", "web", 0, release, f"web.0.{slot}.log", begins)


def log_of(home, slot="a"):
    return home.process_log("shop", "web", 0, slot)


def write(home, text, slot="a"):
    with log_of(home, slot).open("a") as log:
        log.write(text)


def taken(output, *writers, now=NOW):
    """Take everything that there is."""
    whole = 0
    while got := output.take("shop", writers or (writer(),), now):
        whole += got.lines
        if not got.is_more and not got.lines:
            return whole
    return whole


def texts(output, **ask):
    return [it.text for it in output.lines("shop", LineAsk(**{"most": 100_000, **ask}))][::-1]


def test_lines_are_found_by_words_level_release_and_process(home):
    output = SqliteOutput(home)
    write(home, 'INFO: Crème brûlée sold\n{"level":"error","msg":"no stock","item":{"id":"x-42"}}\n')
    taken(output, writer("r1"))
    write(home, "ERROR: the needle, id=42\n", slot="b")
    taken(output, writer("r1"), writer("r2", slot="b"))
    assert texts(output, query="creme") == ["INFO: Crème brûlée sold"]
    assert texts(output, query="x-42") == ["no stock"], "what is nested in JSON is found"
    assert texts(output, query="id=42") == ["ERROR: the needle, id=42"]
    assert texts(output, query="NEED") == ["ERROR: the needle, id=42"]
    assert texts(output, level="error") == ["no stock", "ERROR: the needle, id=42"]
    assert texts(output, release="r2") == ["ERROR: the needle, id=42"]
    assert texts(output, process="worker") == []
    assert texts(output, since=NOW + 1) == []
    for hostile in ('" OR 1', "words:x", "NEAR(a b)", "*", "'", "\0", "a" * 10_000, '")) --'):
        texts(output, query=hostile)
    output.close()


def test_nothing_is_lost_or_kept_twice_through_rotations_and_new_agents(home):
    written = [f"line {number} {'x' * 60}" for number in range(3000)]
    output, step = SqliteOutput(home), 137
    for start in range(0, len(written), step):
        text = "\n".join(written[start : start + step]) + "\n"
        write(home, text[:-30])  # half a line is not one
        output.take("shop", [writer()], NOW)
        write(home, text[-30:])
        if start // step % 3 == 1:
            process_log.rotate(log_of(home), 20_000)
        if start // step % 4 == 2:
            output.close()
            output = SqliteOutput(home)
    taken(output)
    output.close()
    assert texts(SqliteOutput(home)) == written


KILLED = """
import sys
from pathlib import Path
from underway.drivers.output.sqlite import SqliteOutput
from underway.terms.home import Home
from underway.terms.output import Writer
output = SqliteOutput(Home(Path(sys.argv[1])))
print("up", flush=True)
while True:
    output.take("shop", [Writer("shop", "web", 0, "r1", "web.0.a.log", 0)], {now})
"""


def test_a_killed_agent_loses_no_line_and_counts_no_error_twice(home):
    program = textwrap.dedent(KILLED).format(now=NOW)
    said, errors = [], 0
    for turn in range(8):
        process = subprocess.Popen([sys.executable, "-c", program, str(home.root)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"up\n"
        for number in range(400):
            said.append(f"turn {turn} line {number}")
            write(home, said[-1] + "\n")
            if number % 100 == 50:
                head, rest = TRACE.format(line=number)[:90], TRACE.format(line=number)[90:]
                write(home, head)
                write(home, rest)
                said += TRACE.format(line=number).splitlines()
                errors += 1
        process.kill()
        process.wait()
        process.stdout.close()
    output = SqliteOutput(home)
    taken(output)
    output.take("shop", [writer()], NOW + 10)
    assert texts(output) == [line.rstrip() for line in said]
    (seen,) = output.errors("shop")
    assert seen.times == errors
    assert seen.error.kind == "KeyError"
    output.close()


def test_an_error_is_one_across_releases_and_new_in_the_one_that_brought_it(home):
    output = SqliteOutput(home)
    write(home, TRACE.format(line=10) + "INFO: on\n")
    taken(output, writer("r1"))
    begins = log_of(home).stat().st_size
    write(home, TRACE.format(line=99) + "Error: late\n    at pay (/srv/shop/pay.js:3:7)\n    at run (/srv/x.js:1:1)\n")
    taken(output, writer("r2", begins), now=NOW + 5)
    output.take("shop", [writer("r2", begins)], NOW + 10)
    late, known = output.errors("shop")
    assert (known.error.kind, known.times, known.releases) == ("KeyError", 2, ("r1", "r2"))
    assert (late.error.says(), late.releases) == ("Error: late (pay.js:3)", ("r2",))
    story = output.error("shop", known.error.fingerprint)
    assert [(it.release, it.times) for it in story.by_release] == [("r1", 1), ("r2", 1)]
    assert '  File "/srv/shop/checkout.py", line 99, in pay' in story.lines
    assert any("late" in line for line in output.error("shop", late.error.fingerprint).lines)
    assert output.error("shop", "nothing") is None
    output.touched("shop", known.error.fingerprint, [1, 2, 3])
    output.touched("shop", known.error.fingerprint, [3, 4])
    assert output.error("shop", known.error.fingerprint).seen.users_touched == 4
    output.close()


def test_what_the_old_release_wrote_last_is_not_the_new_ones(home):
    """Both write to the file of one slot; the runtime says where the new one begins."""
    output = SqliteOutput(home)
    write(home, "old\n")
    taken(output, writer("r1"))
    write(home, TRACE.format(line=1))
    begins = log_of(home).stat().st_size
    write(home, "new\n")
    taken(output, writer("r2", begins))
    assert texts(output, release="r2") == ["new"]
    (seen,) = output.errors("shop")
    assert seen.releases == ("r1",)
    output.close()


def test_it_stays_within_its_bytes_and_the_oldest_lines_go_first(home):
    output = SqliteOutput(home, segment_bytes=1 << 18, segments=3)
    for turn in range(40):
        write(home, "".join(f"line {turn * 500 + number} {os.urandom(20).hex()}\n" for number in range(500)))
        taken(output)
        if turn % 5 == 0:
            process_log.rotate(log_of(home), 60_000)
    kept = [int(text.split()[1]) for text in texts(output)]
    assert kept[-1] == 19_999
    assert kept == list(range(kept[0], 20_000)), "what is kept is whole"
    assert 1_000 < len(kept) < 15_000
    assert output.size_bytes("shop") < 3 * (1 << 18) + (8 << 20)
    output.close()


def test_what_came_too_fast_is_told_in_its_place(home):
    output = SqliteOutput(home)
    write(home, "first\n" * 10)
    output.take("shop", [writer()], NOW)
    for _ in range(6):  # more parts than are kept
        write(home, f"flood {'x' * 100}\n" * 1000)
        process_log.rotate(log_of(home), 20_000)
    write(home, "last\n")
    taken(output)
    found = texts(output)
    assert _CUT in found
    assert found[-1] == "last"
    output.close()


def test_a_damaged_file_is_put_aside_and_lines_go_on(home):
    folder = home.output("shop")
    folder.mkdir(parents=True)
    (folder / "00000007.lines").write_bytes(b"no database" * 1000)
    output = SqliteOutput(home)
    write(home, "it goes on\n")
    taken(output)
    assert texts(output) == ["it goes on"]
    assert (folder / "00000007.lines.damaged").exists()
    output.close()


def test_lines_after_a_line_come_in_their_order(home):
    output = SqliteOutput(home)
    write(home, "".join(f"line {number}\n" for number in range(50)))
    taken(output)
    first = output.lines("shop", LineAsk(after=0, most=10))
    assert [it.text for it in first] == [f"line {number}" for number in range(10)]
    rest = output.lines("shop", LineAsk(after=first[-1].id, most=1000))
    assert [it.text for it in rest] == [f"line {number}" for number in range(10, 50)]
    output.close()


def test_no_other_user_can_open_what_is_kept(home):
    output = SqliteOutput(home)
    write(home, "private\n")
    taken(output)
    assert home.output("shop").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in home.output("shop").iterdir()} == {0o600}
    output.close()
