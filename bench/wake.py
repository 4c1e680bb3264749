"""Who is woken by what: faults on purpose in the example app with everything on, and a quiet hour.

    python -m bench.wake quiet [--minutes 60] [--rps 3]
    python -m bench.wake faults [--only NAME,…]
    both: [--keep FILE] (every message as it came, as JSON)

`quiet`: the example app, visitors, monitors of every kind, objectives, a status page; a healthy deploy in the middle
and an agent that is stopped and started by order. Nothing is wrong, so every alert is a false one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import psutil
from tests.journeys.world import World, make_world

from bench.inbox import Letter
from bench.report import table
from bench.stage import Stage, agent_cpu_s, now_words


def quiet(minutes: float, rps: float) -> tuple[str, list[dict[str, object]]]:
    """An hour in which nothing is wrong."""
    stage = Stage(make_world())
    try:
        stage.deploy()
        world = stage.world
        published = world.run("statuspage", "publish", "status.localhost", "--title", "Meadow", "--tls", "off")
        assert published.returncode == 0, published.stderr
        began, cpu_began, loads = time.time(), agent_cpu_s(world), []
        cpu_s, agent_s = 0.0, 0.0
        deploying: threading.Thread | None = None
        is_restarted = False
        with stage.visited(rps) as visitors:
            while (passed_s := time.time() - began) < 60 * minutes:
                time.sleep(5)
                loads.append(os.getloadavg()[0])
                if deploying is None and passed_s > 60 * minutes * 0.4:
                    print(f"{now_words()} a healthy deploy", file=sys.stderr, flush=True)
                    deploying = threading.Thread(target=stage.deploy, kwargs={"note": "two"})
                    deploying.start()
                if not is_restarted and not (deploying and deploying.is_alive()) and passed_s > 60 * minutes * 0.75:
                    is_restarted = True
                    print(f"{now_words()} the agent is stopped and started", file=sys.stderr, flush=True)
                    cpu_s, agent_s = agent_cpu_s(world) - cpu_began, time.time() - began
                    world.run("agent", "stop")
                    world.run("agent", "start")
        alerts = [
            *json.loads(world.run("alerts", "--json").stdout),
            *json.loads(world.run("alerts", "--cleared", "--json").stdout),
        ]
        letters = stage.inbox.letters
        rss_mb = psutil.Process(world.agent_pid()).memory_info().rss / 1e6
    finally:
        stage.close()
    said = (
        f"{minutes:g} minutes at {rps:g} requests/s, load of the machine {min(loads):.1f} to {max(loads):.1f}: "
        f"{visitors.served:,} requests, {len(visitors.failed)} failed; {len(letters)} messages, {len(alerts)} alerts; "
        f"agent {100 * cpu_s / max(agent_s, 1):.1f} % of a core, {rss_mb:.0f} MB"
    )
    for failed in visitors.failed[:10]:
        said += f"\nfailed {failed}"
    for alert in alerts:
        said += f"\nFALSE: {json.dumps(alert)}"
    return said, [{"at": it.at, "what": it.what, "signed": it.is_signed, **it.alert} for it in letters]


@dataclass(frozen=True)
class Fault:
    """`begin` does it, `end` undoes it; `key` is how the alert's key begins, `code` what it must be. `seconds` is how
    long the alert may take."""

    name: str
    says: str
    key: str
    code: str
    begin: Callable[[Stage], None]
    end: Callable[[Stage], None]
    seconds: float = 180.0
    app: str = "meadow"


@dataclass(frozen=True)
class Woken:
    """What came of one fault. Seconds from its beginning to the message, from its end to the message that it is over;
    None for no message."""

    fault: Fault
    raised_s: float | None
    cleared_s: float | None
    letter: Letter | None
    others: tuple[str, ...]
    lacks: tuple[str, ...]


def _kill_web(stage: Stage) -> None:
    stage.pids()[0].kill()


def _stop_postgres(stage: Stage) -> None:
    for process in stage.postgres():
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGSTOP)


def _go_on_postgres(stage: Stage) -> None:
    for process in stage.postgres():
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGCONT)


def _fill(stage: Stage) -> None:
    """All but 6 % of the home's own disk."""
    disk = os.statvfs(stage.world.root)
    wanted = (disk.f_bavail - int(0.06 * disk.f_blocks)) * disk.f_frsize
    with (stage.world.root / "filling").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, wanted)


def _empty(stage: Stage) -> None:
    (stage.world.root / "filling").unlink()


def _kill_agent(stage: Stage) -> None:
    os.kill(stage.world.agent_pid(), signal.SIGKILL)


def _start_agent(stage: Stage) -> None:
    started = stage.world.run("agent", "start")
    assert started.returncode == 0, started.stderr


def _deploy_again(stage: Stage) -> None:
    stage.say_faults()
    stage.deploy(note="after the leak", more=MEMORY, urgently=True)


def _nothing(stage: Stage) -> None:
    pass


MEMORY = '\n[processes.web]\ncommand = "uvicorn app.main:app --host 127.0.0.1 --port $PORT"\nmemory = "700MB"\n'
FAULTS = (
    Fault(
        "certificate",
        "a certificate ends in 9 days",
        "certificate shop",
        "certificate.ends",
        lambda it: it.shop.show_certificate(timedelta(days=9)),
        lambda it: it.shop.show_certificate(timedelta(days=90)),
    ),
    Fault(
        "schedule",
        "a schedule of every 20 s (grace 10 s) stops telling",
        "monitor nightly",
        "schedule.missed",
        lambda it: it.schedule.clear(),
        lambda it: it.schedule.set(),
    ),
    Fault("process", "the web process is killed (SIGKILL)", "process", "process.ended", _kill_web, _nothing),
    Fault(
        "database", "the database hangs (SIGSTOP)", "monitor database", "monitor.down", _stop_postgres, _go_on_postgres
    ),
    Fault("disk", "the disk is 94 % full", "disk", "disk.nearly-full", _fill, _empty),
    Fault(
        "errors",
        "half of the requests raise",
        "errors",
        "errors.burst",
        lambda it: it.say_faults(errors=0.5),
        lambda it: it.say_faults(),
        240.0,
    ),
    Fault(
        "slow",
        "one route of five takes 1.5 s",
        "latency",
        "latency.slow",
        lambda it: it.say_faults(path="/api/version", delay_ms=1500),
        lambda it: it.say_faults(),
        300.0,
    ),
    Fault(
        "leak",
        "the process leaks 40 MB a minute, with a limit of 700 MB",
        "memory",
        "memory.leak",
        lambda it: it.say_faults(leak_mb_per_min=40),
        _deploy_again,
        1200.0,
    ),
    Fault("agent", "the agent is killed (SIGKILL)", "", "", _kill_agent, _start_agent),
)
SAID = ("what", "since", "release", "step", "runbook", "command")
"""What every message must hold. `users_touched` is of those whose requests failed: 0 is an answer as well."""


def one(stage: Stage, fault: Fault) -> Woken:
    """Begin it, wait for the message, end it, wait for the message that it is over."""
    began = time.time()
    fault.begin(stage)
    letter = stage.inbox.wait(fault.app, fault.key, "raised", began, fault.seconds)
    ended = time.time()
    fault.end(stage)
    over = stage.inbox.wait(fault.app, fault.key, "cleared", ended, 600.0) if letter else None
    return _woken(stage, fault, began, ended, letter, over)


def agent_killed(stage: Stage, other: Stage, fault: Fault) -> list[Woken]:
    """Two homes watch each other: the other one tells that this one's heartbeat is missing, and this one, when it is
    started again, how long it was away."""
    began = time.time()
    fault.begin(stage)
    outside = replace(fault, key="monitor nightly", code="schedule.missed", app="watcher")
    missed = other.inbox.wait("watcher", "monitor nightly", "raised", began, 180.0)
    time.sleep(max(0.0, 40.0 - (time.time() - began)))
    ended = time.time()
    fault.end(stage)
    inside = replace(fault, key="agent", code="agent.away", says="… and is started again")
    back = stage.inbox.wait(fault.app, "agent", "raised", ended, 60.0)
    over = other.inbox.wait("watcher", "monitor nightly", "cleared", ended, 120.0)
    is_over = stage.inbox.wait(fault.app, "agent", "cleared", ended, 180.0)
    return [
        _woken(other, outside, began, ended, missed, over),
        _woken(stage, inside, ended, ended, back, is_over),
    ]


def _woken(stage: Stage, fault: Fault, began: float, ended: float, letter: Letter | None, over: Letter | None) -> Woken:
    others = {
        f"{it.alert['code']} ({it.alert['key']})"
        for it in list(stage.inbox.letters)
        if it.what == "raised" and it.at >= began and (letter is None or it.alert["id"] != letter.alert["id"])
    }
    lacks = [name for name in SAID if letter and not letter.alert.get(name)]
    if letter and not letter.is_signed:
        lacks.append("a signature")
    if letter and letter.alert["code"] != fault.code:
        lacks.append(f"the code {fault.code} (it was {letter.alert['code']})")
    return Woken(
        fault,
        letter.at - began if letter else None,
        over.at - ended if over else None,
        letter,
        tuple(sorted(others)),
        tuple(lacks),
    )


def faults(only: str) -> tuple[str, list[dict[str, object]]]:
    """Each fault in its turn, and the table of what came."""
    chosen = [it for it in FAULTS if not only or it.name in only.split(",")]
    other = Stage(make_world(), "watcher") if any(it.name == "agent" for it in chosen) else None
    disk = Path(tempfile.mkdtemp(prefix="uw-disk-", dir="/tmp"))
    is_mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=6g,mode=0755", "tmpfs", disk], check=False
        ).returncode
    )
    found: list[Woken] = []
    try:
        address = ""
        if other is not None:
            other.schedule.clear()
            other.deploy()
            address = other.ping_url
        world = World(disk) if is_mounted else make_world()
        stage = Stage(world, heartbeat=address)
        try:
            stage.deploy(more=MEMORY)
            with stage.visited(8.0):
                time.sleep(200)
                for fault in chosen:
                    if fault.name == "disk" and not is_mounted:
                        print("disk: left out: a file system of its own needs root", file=sys.stderr)
                        continue
                    print(f"{now_words()} {fault.name}", file=sys.stderr, flush=True)
                    if fault.name == "agent" and other is not None:
                        found += agent_killed(stage, other, fault)
                    else:
                        found.append(one(stage, fault))
                    print(f"{now_words()} {line(found[-1])}", file=sys.stderr, flush=True)
        finally:
            stage.close()
    finally:
        if other is not None:
            other.close()
        if is_mounted:
            subprocess.run(["umount", "-l", disk], check=False)
    text = table(HEAD, [line(each) for each in found])
    return text, [
        {"fault": it.fault.name, "lacks": it.lacks, "others": it.others, **(it.letter.alert if it.letter else {})}
        for it in found
    ]


HEAD = ("fault", "told after", "severity", "message", "users touched", "over after", "also told", "lacks")


def line(it: Woken) -> tuple[object, ...]:
    alert = it.letter.alert if it.letter else {}
    return (
        it.fault.says,
        "**never**" if it.raised_s is None else f"{it.raised_s:.0f} s",
        alert.get("severity", ""),
        alert.get("what", ""),
        alert.get("users_touched", ""),
        "**never**" if it.cleared_s is None else f"{it.cleared_s:.0f} s",
        ", ".join(it.others) or "–",
        ", ".join(it.lacks) or "nothing",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("quiet", "faults"))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rps", type=float, default=3.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", type=Path, metavar="FILE")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    said, letters = quiet(asked.minutes, asked.rps) if asked.what == "quiet" else faults(asked.only)
    print(said)
    if asked.keep:
        asked.keep.write_text(json.dumps(letters, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
