"""Faults that begin and end while the app runs: what the file `FAULTS` says at every request.

`errors` is the share of requests that raise; `delay_ms` is added to requests of `path`; `leak_mb_per_min` is kept for
as long as it is said. Health checks pass.
"""

import asyncio
import json
import os
import random
import threading
import time

_KEPT = []


def _said():
    try:
        with open(os.environ["FAULTS"], encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError, KeyError):
        return {}


def _leak():
    while True:
        if rate := _said().get("leak_mb_per_min", 0):
            _KEPT.append(os.urandom(int(rate * 1_000_000 / 120)))
        time.sleep(0.5)


threading.Thread(target=_leak, daemon=True).start()


class LiveFaults:
    """ASGI middleware."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and not scope["path"].startswith("/health"):
            said = _said()
            if random.random() < said.get("errors", 0):
                raise KeyError("currency")
            if scope["path"] == said.get("path"):
                await asyncio.sleep(said["delay_ms"] / 1000)
        await self.app(scope, receive, send)
