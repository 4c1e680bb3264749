"""The demo: a launch played on this machine with the real parts, under traffic that never retries."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from underway.agent.views import AppView, PlanAsk, PlanView, Started
from underway.cli.act import follow_act
from underway.cli.client import Client, connect
from underway.cli.render.demo import Picture
from underway.cli.render.terminal import Terminal
from underway.journal.events.acts import ActKind
from underway.load.strict import Answer, Broken, Connection, Tally, request_bytes
from underway.terms.outcome import EXIT_FAULT
from underway.terms.problem import Problem, Refusal
from underway.wiring.home import DEFAULT_HTTP_PORT, find_home

APP = "learning"
_PAUSE_S = 0.02


@dataclass(frozen=True)
class Scene:
    """One act of the play: the example with a patch is deployed (empty: as it is), or traffic goes `back` to the
    release before or `forward` to the one it came from."""

    title: str
    patch: str = ""
    over: str = ""
    """A patch that is applied first: the release that this one is meant to replace."""
    outcome: str = "live"
    strategy: Literal["blue-green", "canary"] = "blue-green"
    way: Literal["deploy", "back", "forward"] = "deploy"
    health_timeout: str = "45s"
    needs_traffic: bool = True


SCENES = (
    Scene("The first release goes live", needs_traffic=False),
    Scene("A release that dies at its start never gets traffic", "broken-start.patch", outcome="failed"),
    Scene(
        "A release that never becomes healthy never gets traffic",
        "broken-health.patch",
        outcome="failed",
        health_timeout="6s",
    ),
    Scene("A better release: a sticker shelf, with a migration", "0002-better.patch"),
    Scene("Back to the first release, at once", way="back"),
    Scene("And forward to the better one, at once", way="forward"),
    Scene(
        "A release that is healthy and fails some visitors: judged on live traffic, and taken back",
        "broken-page.patch",
        over="0002-better.patch",
        outcome="rolled_back",
        strategy="canary",
    ),
)


def play(*, clients: int, is_down: bool, is_json: bool) -> int:
    """Play all scenes; return 0 when each ended as it should and no request failed."""
    example = find_example()
    _choose_port()
    client = connect()
    terminal = Terminal(sys.stderr if is_json else None)
    picture = Picture(terminal, f"http://{APP}.localhost:{client.home.http_port}")
    work = client.home.root / "demo" / APP
    surprises: list[str] = []
    with picture, Traffic(client.home.http_port, clients) as traffic:
        picture.traffic = traffic
        for number, scene in enumerate(SCENES, start=1):
            picture.scene(number, len(SCENES), scene.title)
            if scene.needs_traffic:
                traffic.start()
            traffic.is_on_trial = scene.outcome == "rolled_back"
            try:
                outcome = _perform(scene, example, work, client, picture)
            except Refusal as refusal:
                outcome = f"refused ({refusal.problems[0].why})"
            if outcome != scene.outcome:
                surprises.append(f"{scene.title}: ended {outcome} instead of {scene.outcome}")
    app = client.get(f"/v1/apps/{APP}", AppView)
    tally = traffic.tally
    if is_json:
        _print_json(app, traffic, surprises)
    else:
        picture.end(app, surprises)
    if is_down:
        started = client.post(f"/v1/plans/{_plan(client, PlanAsk(kind=ActKind.DOWN, app=APP)).id}/run", Started)
        for _ in follow_act(client, started.act):
            pass
    return EXIT_FAULT if surprises or tally.failures else 0


def find_example() -> Path:
    """The example app: in the clone, or inside the installed package. Raises `Refusal` (`demo.no-example`)."""
    package = Path(__file__).resolve().parents[1]
    for found in (package / "_examples" / APP, package.parents[1] / "examples" / APP):
        if (found / "pyproject.toml").is_file():
            return found
    raise Refusal(
        [
            Problem(
                code="demo.no-example",
                where=str(package),
                why="the example app is not part of this installation",
                remedy="run the demo from a clone",
                command="./underway demo",
            )
        ]
    )


def _choose_port() -> None:
    """Without UNDERWAY_HTTP_PORT and without an agent, take the next free port when the usual one is taken."""
    home = find_home(os.environ)
    if "UNDERWAY_HTTP_PORT" in os.environ or Client(home).is_up() or home.http_port != DEFAULT_HTTP_PORT:
        return
    for port in range(DEFAULT_HTTP_PORT, DEFAULT_HTTP_PORT + 40, 2):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                continue
        os.environ["UNDERWAY_HTTP_PORT"] = str(port)
        return


def _perform(scene: Scene, example: Path, work: Path, client: Client, picture: Picture) -> str:
    """Run one scene and return how it ended."""
    if scene.way != "deploy":
        to = client.get(f"/v1/apps/{APP}", AppView).warm if scene.way == "forward" else ""
        ask = PlanAsk(kind=ActKind.ROLLBACK, app=APP, to=to)
    else:
        _lay_out(example, scene, work)
        ask = PlanAsk(kind=ActKind.DEPLOY, app=APP, path=str(work), strategy=scene.strategy)
    plan = _plan(client, ask)
    picture.plan(plan)
    started = client.post(f"/v1/plans/{plan.id}/run", Started)
    outcome = "unknown"
    for event in follow_act(client, started.act):
        picture.show(event)
        if event and event["event"] == "finished":
            outcome = str(event["outcome"])
    return outcome


def _plan(client: Client, ask: PlanAsk) -> PlanView:
    return client.post("/v1/plans", PlanView, ask)


_MANIFEST = """\
# Everything else is recognised. These times are short so that the play is.
[health]
path = "/health"
timeout = "{health_timeout}"

[release]
watch = "3s"
"""


def _lay_out(example: Path, scene: Scene, work: Path) -> None:
    """A fresh copy of the example with its patches on it, as a developer's folder would be."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(example, work, ignore=shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", "tests"))
    (work / "underway.toml").write_text(_MANIFEST.format(health_timeout=scene.health_timeout), encoding="utf-8")
    for patch in filter(None, (scene.over, scene.patch)):
        subprocess.run(
            ["git", "apply", str(example / "releases" / patch)],
            cwd=work,
            check=True,
            capture_output=True,
            # A home inside somebody's work tree must not make git look for that repository.
            env={**os.environ, "GIT_CEILING_DIRECTORIES": str(work.parent), "GIT_DIR": os.devnull},
        )


class Traffic:
    """Strict clients on a thread of their own: they ask from `start` until the context ends.

    Behind them are `VISITORS` visitors, each with a browser's cookies; every other one says which languages it reads.
    A 500 that comes while `is_on_trial` is the release's that is on trial, and counted apart: to be noticed on live
    traffic, it has to fail somebody. Any other failure is never the release's.
    """

    PATHS = ("/", "/api/version", "/health/deep", "/", "/api/version")
    VISITORS = 200

    def __init__(self, port: int, clients: int) -> None:
        self.tally = Tally()
        self.on_trial = 0
        self.is_on_trial = False
        self._port = port
        self._clients = clients
        self._cookies = [""] * self.VISITORS
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Traffic:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(40)

    def start(self) -> None:
        if not self._thread.is_alive() and not self._over.is_set():
            self._thread.start()

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self._clients)))

    async def _client(self, number: int) -> None:
        connection = Connection("127.0.0.1", self._port)
        chance = random.Random(number)
        while not self._over.is_set():
            visitor = chance.randrange(self.VISITORS)
            headers = {"Accept-Language": "en"} if visitor % 2 else {}
            if self._cookies[visitor]:
                headers["Cookie"] = self._cookies[visitor]
            request = request_bytes(f"{APP}.localhost", chance.choice(self.PATHS), headers=headers)
            is_on_trial = self.is_on_trial
            try:
                async with asyncio.timeout(30):
                    answer = await connection.ask(request)
            except Broken as error:
                self.tally.failed[str(error)] += 1
            except TimeoutError:
                self.tally.failed["timeout"] += 1
            else:
                self._count(visitor, answer, is_on_trial)
            await asyncio.sleep(_PAUSE_S)
        connection.close()

    def _count(self, visitor: int, answer: Answer, is_on_trial: bool) -> None:
        if cookie := answer.headers.get("set-cookie"):
            self._cookies[visitor] = cookie.split(";", 1)[0]
        if answer.status < 500:
            self.tally.served += 1
            self.tally.took_ms.append(answer.took_ms)
        elif answer.status == 500 and is_on_trial:
            self.on_trial += 1
        else:
            self.tally.failed[f"status {answer.status}"] += 1


def _print_json(app: AppView, traffic: Traffic, surprises: list[str]) -> None:
    tally = traffic.tally
    releases = {
        release: {"served": t.served, "failed": t.failed, "p95_ms": t.p95_ms} for release, t in app.traffic.items()
    }
    counts = {
        "served": tally.served,
        "failed": tally.failures,
        "failed_on_trial": traffic.on_trial,
        "p95_ms": round(tally.quantile_ms(0.95), 1),
    }
    said = {"event": "demo", "url": app.url, "requests": counts, "releases": releases, "surprises": surprises}
    sys.stdout.write(json.dumps(said) + "\n")
