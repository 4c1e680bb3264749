"""The dashboard in a real browser: first paint, what is transferred, and a page that is open for a minute.

    .venv/bin/python -m bench.pages [--seconds 60]

A home of its own with one app under light traffic; results as one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import threading
import time

import psutil
from tests.journeys import bad
from tests.journeys.world import make_world

from underway.load.strict import StrictLoad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    world = make_world()
    try:
        found = measure(world, seconds)
    finally:
        world.close()
    found["load"] = [round(it, 1) for it in os.getloadavg()]
    print(json.dumps(found, indent=1))


def measure(world, seconds: float) -> dict:
    from playwright.sync_api import sync_playwright

    done = world.deploy(bad.patient(bad.plain(world, VERSION="1")))
    assert done["outcome"] == "live", done
    over = threading.Event()
    traffic = threading.Thread(target=lambda: asyncio.run(_visit(world.port, over)))
    traffic.start()
    agent = psutil.Process(world.agent_pid())
    before_mb = agent.memory_info().rss / 1e6
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--js-flags=--expose-gc"],
                timeout=120_000,
            )
            page = browser.new_page()
            page.set_default_timeout(120_000)
            page.goto(json.loads(world.run("dashboard", "--json").stdout)["enter"])
            page.get_by_role("heading", name="Apps", exact=True).wait_for()
            site = page.url.rstrip("/")
            opened_mb = agent.memory_info().rss / 1e6
            paints = [_paint(page, f"{site}/apps/plain") for _ in range(15)]
            devtools = page.context.new_cdp_session(page)
            devtools.send("Network.enable")
            devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
            sizes: dict[str, int] = {}
            devtools.on("Network.loadingFinished", lambda it: sizes.update({it["requestId"]: it["encodedDataLength"]}))
            _paint(page, f"{site}/apps/plain")
            page.wait_for_timeout(1000)
            heaps, nodes, agents = [], [], []
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                page.wait_for_timeout(5000)
                page.evaluate("gc()")
                heaps.append(page.evaluate("performance.memory.usedJSHeapSize") / 1e6)
                nodes.append(page.evaluate("document.querySelectorAll('*').length"))
                agents.append(agent.memory_info().rss / 1e6)
            browser.close()
    finally:
        over.set()
        traffic.join()
    paints.sort()
    return {
        "first_paint_ms": {"best": paints[0], "median": paints[len(paints) // 2], "worst": paints[-1]},
        "transferred_kb": round(sum(sizes.values()) / 1000, 1),
        "open_s": seconds,
        "heap_mb": [round(it, 2) for it in heaps],
        "elements": nodes,
        "agent_mb": {
            "before": round(before_mb, 1),
            "opened": round(opened_mb, 1),
            "while open": [round(it, 1) for it in agents],
        },
    }


def _paint(page, address: str) -> float:
    page.goto(address)
    ask = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (paint := page.evaluate(ask)) is not None:
            return round(paint, 1)
        page.wait_for_timeout(20)
    raise AssertionError("nothing was painted")


async def _visit(port: int, over: threading.Event) -> None:
    async with StrictLoad(port, "plain.localhost", clients=2, pause_s=0.2):
        while not over.is_set():
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
