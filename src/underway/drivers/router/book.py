"""The routes of all apps of a home, in one file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from underway.drivers.whole_file import write_whole
from underway.ports.router import Router
from underway.terms.route import AppRoute


class RouteBook:
    """`Routes` kept in `routes.json` (0600). Changes come one at a time; each gives the router the whole picture."""

    def __init__(self, path: Path, router: Router) -> None:
        self._path = path
        self._router = router
        self._turn = asyncio.Lock()

    def all(self) -> Sequence[AppRoute]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[AppRoute])
        except FileNotFoundError:
            return []

    async def put(self, route: AppRoute) -> bool:
        async with self._turn:
            return await self._make([*(r for r in self.all() if r.app != route.app), route])

    async def remove(self, app: str) -> bool:
        async with self._turn:
            return await self._make([r for r in self.all() if r.app != app])

    async def _make(self, routes: list[AppRoute]) -> bool:
        routes.sort(key=lambda route: route.app)
        reloaded = await self._router.configure(routes)
        write_whole(self._path, msgspec.json.encode(routes).decode())
        return reloaded
