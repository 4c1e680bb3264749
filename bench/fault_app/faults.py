"""A fault on purpose, put around the example app for a benchmark: what `fault.json` beside it says.

`errors` is the share of requests that raise; `delay_ms` is added to requests of `path`; `leak_mb_per_min` is kept for
ever; `ends_after_s` ends the process that long after its start, 0 at once. A request that carries `X-Sick` always
raises, whatever it says: the request of a client that no release can serve.
"""

import asyncio
import json
import os
import random
import sys
import threading
import time
from pathlib import Path

FAULT = json.loads((Path(__file__).parent / "fault.json").read_text())
KEPT = []


def leak(mb_per_min):
    while True:
        KEPT.append(os.urandom(int(mb_per_min * 1_000_000 / 120)))
        time.sleep(0.5)


def end_after(seconds):
    time.sleep(seconds)
    print("out of luck", file=sys.stderr, flush=True)
    os._exit(3)


if "ends_after_s" in FAULT and not FAULT["ends_after_s"]:
    sys.exit(3)
if "ends_after_s" in FAULT:
    threading.Thread(target=end_after, args=(FAULT["ends_after_s"],), daemon=True).start()
if "leak_mb_per_min" in FAULT:
    threading.Thread(target=leak, args=(FAULT["leak_mb_per_min"],), daemon=True).start()


class Faulty:
    """ASGI middleware. Health checks pass: the faults that matter are those that health checks do not see."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and not scope["path"].startswith("/health"):
            if any(name == b"x-sick" for name, _ in scope["headers"]):
                raise ValueError("a client that no release can serve")
            if random.random() < FAULT.get("errors", 0):
                raise KeyError("currency")
            if scope["path"] == FAULT.get("path"):
                await asyncio.sleep(FAULT["delay_ms"] / 1000)
        await self.app(scope, receive, send)
