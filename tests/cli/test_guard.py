"""`underway guard`: the figures come out the same however they are made, and a recorded day is read in any format."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import psutil
import pytest
from tests.journeys.world import wait_until

BEGAN, SECONDS, PER_S = 1_760_000_000, 2400, 4


def underway(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "underway", "guard", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def simulated(*words: str) -> dict[str, object]:
    done = underway("simulate", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def day(seed: int = 1) -> list[tuple[float, str, int, float]]:
    """Forty minutes of a shop: when, who, status, seconds."""
    chance, at, seen = Random(seed), float(BEGAN), []
    while at < BEGAN + SECONDS:
        at += chance.expovariate(PER_S)
        status = 500 if chance.random() < 0.001 else 404 if chance.random() < 0.1 else 200
        seen.append((at, f"10.0.0.{chance.randrange(200)}", status, chance.lognormvariate(-2.8, 0.6)))
    return seen


def caddy(at: float, who: str, status: int, took: float) -> str:
    asked = {"client_ip": who, "method": "GET", "host": "shop.example", "uri": "/", "headers": {"A": ["b"]}}
    return json.dumps({"level": "info", "ts": at, "request": asked, "duration": took, "status": status})


def ours(at: float, who: str, status: int, took: float) -> str:
    asked = {"client_ip": who, "method": "GET", "uri": "/"}
    line = {"ts": at, "request": asked, "duration": took, "status": status, "app": "shop", "probe": None}
    return json.dumps({**line, "release": "01A", "slot": "a", "share": "0000"})


def nginx(at: float, who: str, status: int, took: float) -> str:
    when = datetime.fromtimestamp(at, UTC).isoformat()
    line = {"time_iso8601": when, "remote_addr": who, "request": "GET / HTTP/1.1", "status": str(status)}
    return json.dumps({**line, "request_time": f"{took:.3f}"})


def combined(at: float, who: str, status: int, took: float) -> str:
    when = datetime.fromtimestamp(at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{who} - - [{when}] "GET /?q=\\"x\\" HTTP/1.1" {status} 12 "-" "Mozilla \\"5\\"" {took:.3f}'


def common(at: float, who: str, status: int, took: float) -> str:
    when = datetime.fromtimestamp(at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{who} - frank [{when}] "GET / HTTP/1.0" {status} 2326'


def test_the_figures_do_not_depend_on_the_processes_that_make_them() -> None:
    words = ("--world", "plain", "--fault", "crash", "--fault", "errors-5", "--runs", "30", "--rate", "50", "--peers")
    assert simulated(*words, "--jobs", "1")["cells"] == simulated(*words, "--jobs", "3")["cells"] != []


def test_a_crash_is_taken_back_and_another_seed_is_another_day() -> None:
    one, other = (simulated("--fault", "crash", "--runs", "20", "--seed", seed)["cells"] for seed in ("0", "500"))
    assert one != other
    assert isinstance(one, list)
    assert one[0]["figures"]["rolled_back"] == 20


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_ctrl_c_ends_it_at_once_without_a_word(jobs: str) -> None:
    command = [sys.executable, "-m", "underway", "guard", "simulate", "--runs", "90000", "--jobs", jobs]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 90
        while not is_working(process.pid, jobs) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=120)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_its_processes_end_with_it_however_it_ends() -> None:
    words = ["--world", "people", "--fault", "healthy", "--rate", "5000", "--jobs", "2"]  # each part takes minutes
    command = [sys.executable, "-m", "underway", "guard", "simulate", *words]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_working(process.pid, "2"), 90)
        workers = psutil.Process(process.pid).children()
        wait_until(lambda: all(worker.cpu_times().user > 0.2 for worker in workers), 90)
        process.kill()
        process.wait()
        wait_until(lambda: not any(is_alive(worker) for worker in workers), 60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def is_working(pid: int, jobs: str) -> bool:
    """It has its processes, or spent a second of the processor alone."""
    process = psutil.Process(pid)
    return len(process.children()) == int(jobs) if jobs != "1" else process.cpu_times().user > 1.0


def test_a_policy_changes_the_outcome(tmp_path: Path) -> None:
    (tmp_path / "underway.toml").write_text('app = "shop"\n[release]\nsteps = [50]\n')
    words = ("--fault", "errors-5", "--runs", "8")
    usual, own = simulated(*words), simulated(*words, "--policy", str(tmp_path))
    assert usual["cells"] != own["cells"]
    assert own["cells"] == simulated(*words, "--steps", "50", "--policy", str(tmp_path))["cells"]


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = underway("simulate", "--world", "plain", "--fault", "crash", "--runs", "3", "--report", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "crash at start" in text
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "<script" not in text


def test_markdown_has_its_pictures_beside_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    underway("simulate", "--world", "plain", "--fault", "crash", "--runs", "3", "--report", page)
    pictures = sorted(tmp_path.glob("page-*.svg"))
    assert pictures
    for picture in pictures:
        assert f"]({picture.name})" in page.read_text()
        assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")


@pytest.mark.parametrize("line", [caddy, ours, nginx, combined])
def test_a_recorded_day_is_judged_in_any_format(tmp_path: Path, line: object) -> None:
    assert callable(line)
    log = tmp_path / "access.log.gz"
    log.write_bytes(gzip.compress("\n".join([*(line(*seen) for seen in day()), "not a request", ""]).encode()))
    done = underway("replay", log, "--rollouts", "3", "--fault", "healthy", "--fault", "crash", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["recording"]["requests"] == len(day())
    assert said["recording"]["has_times"] is True
    assert said["recording"]["lines_not_understood"] == 1
    assert said["found"]["crash"]["rolled_back"] == 3
    assert said["found"]["healthy"]["rolled_back"] == 0


def test_a_log_without_times_says_that_only_errors_are_judged(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("\n".join(common(*seen) for seen in day()))
    done = underway("replay", log, "--rollouts", "2", "--fault", "healthy", "--fault", "slower-100")
    assert "only errors are judged" in done.stdout
    assert done.returncode == 0


def test_two_apps_in_one_log_are_not_mixed(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    lines = [ours(*seen) for seen in day()]
    log.write_text("\n".join([*lines, *(line.replace('"shop"', '"blog"') for line in lines[:50])]))
    done = underway("replay", log)
    assert (done.returncode, "guard.several-apps" in done.stderr) == (3, True)
    assert "--app shop" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("simulate", "--world", "moon"), "guard.unknown-name"),
        (("simulate", "--steps", "50,25"), "guard.steps"),
        (("simulate", "--steps", "nan"), "guard.steps"),
        (("simulate", "--policy", "/nowhere/underway.toml"), "guard.policy"),
        (("simulate", "--report", "page.pdf"), "guard.report"),
        (("replay", "/nowhere/access.log"), "guard.log"),
        (("replay", "/dev/null"), "guard.log-too-short"),
        (("replay", sys.executable), "guard.log-too-short"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(words: tuple[str, ...], code: str) -> None:
    done = underway(*words)
    assert done.returncode == 3
    assert f"[{code}]" in done.stderr
    assert "Traceback" not in done.stderr
