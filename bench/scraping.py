"""What it costs to be asked: /metrics of the agent, the health it tells of an app, and the health an app tells itself.

    .venv/bin/python -m bench.scraping

A home of its own with one app, its Redis server and an objective; results as one JSON object.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import http.client
import json
import os
import socket
import statistics
import time

import psutil
from tests.journeys import bad
from tests.journeys.world import make_world, wait_until

from underway.flows.counting import route_class
from underway.observe.counting import Kind
from underway.observe.meter import Meter, Promise
from underway.terms.home import Home
from underway.terms.route import Request
from underway_kit.checks import Check
from underway_kit.health import Health

MANIFEST = '\n[services]\nredis = true\n\n[[slo]]\nname = "pages"\nobjective = "99%"\n'
SCRAPES, PROBES, REQUESTS = 200, 200, 200_000


def main() -> None:
    world = make_world()
    try:
        assert world.deploy(bad.plain(world, MANIFEST, MODE="good", VERSION="1"), timeout=300)["outcome"] == "live"
        found = {**scraped(world), **told(world), **own(), "meter_us_per_request": metered()}
    finally:
        world.close()
    found["load"] = [round(it, 1) for it in os.getloadavg()]
    print(json.dumps(found, indent=1))


def asked(world, path: str) -> tuple[int, bytes]:
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(Home(root=world.home).agent_socket))
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        return answer.status, answer.read()


def scraped(world) -> dict:
    agent = psutil.Process(world.agent_pid())
    for _ in range(50):
        world.ask(app="plain")
    before = agent.memory_info().rss
    asked(world, "/metrics")
    first = agent.memory_info().rss
    began, times = sum(agent.cpu_times()[:2]), []
    for _ in range(SCRAPES):
        at = time.perf_counter()
        _, text = asked(world, "/metrics")
        times.append(time.perf_counter() - at)
    spent = sum(agent.cpu_times()[:2]) - began
    return {
        "metrics_bytes": len(text),
        "scrape_ms_median": round(1000 * statistics.median(times), 1),
        "scrape_ms_of_processor": round(1000 * spent / SCRAPES, 2),
        "agent_mb_before_after_first_after_all": [
            round(it / 1e6, 1) for it in (before, first, agent.memory_info().rss)
        ],
    }


def told(world) -> dict:
    """The health that the agent tells: 200 at once, and how many checks of the monitors there were meanwhile."""
    path = "/v1/apps/plain/health/deep"
    wait_until(lambda: b'"cache"' in asked(world, path)[1], 60)

    def checks() -> int:
        return sum(day["checks"] for it in json.loads(asked(world, "/v1/apps/plain/monitors")[1]) for day in it["days"])

    before, at = checks(), time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(50) as crowd:
        statuses = list(crowd.map(lambda _: asked(world, path)[0], range(PROBES)))
    took_s = time.perf_counter() - at
    return {
        "agent_probes": len(statuses),
        "agent_probes_s": round(took_s, 2),
        "checks_meanwhile": checks() - before,
        "agent_statuses": sorted(set(statuses)),
    }


def own() -> dict:
    """`underway_kit.health`: 200 probes at once of an app whose database takes half a second to answer."""
    questions = 0

    async def slow() -> None:
        nonlocal questions
        questions += 1
        await asyncio.sleep(0.5)

    async def all_at_once() -> float:
        app = Health(checks=(Check("database", slow),))
        at = time.perf_counter()
        await asyncio.gather(*(app.deep() for _ in range(PROBES)))
        return time.perf_counter() - at

    took_s = asyncio.run(all_at_once())
    return {"kit_probes": PROBES, "kit_questions": questions, "kit_s": round(took_s, 2)}


def metered() -> float:
    meter = Meter(route_class, lambda _: (Promise("a", None, 0.0), Promise("b", None, 300.0)))
    requests = [
        Request(
            at=1e9, app="shop", release="R1", slot="a", method="GET", path=f"/orders/{number % 500}", status=200,
            took_ms=number % 300, upstream_ms=1.0, upstream="", retries=0, client="", is_monitor=False,
        )
        for number in range(REQUESTS)
    ]  # fmt: skip
    began = time.process_time()
    for request in requests:
        meter.heard(request, Kind.GOOD)
    return round(1e6 * (time.process_time() - began) / REQUESTS, 2)


if __name__ == "__main__":
    main()
