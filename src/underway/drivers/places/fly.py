"""Fly.io: secrets of one app (Machines API). Merged in one call, null removes; staged until machines are updated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from underway.drivers.places.telling import all_at_once
from underway.drivers.places.web import Api, segment
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.secret import Secret


class FlyPlace:
    """Driver of `Place`. Fly gives names and digests; the digest is Fly's own and only tells that something changed."""

    def __init__(self, address: PlaceAddress, api: Api) -> None:
        self.says = address.says
        self._path = f"/apps/{segment(address.part(0))}/secrets"
        self._api = api

    async def held(self) -> Mapping[str, Held]:
        body = (await self._api.ask("GET", self._path)).body or {}
        return {
            each["name"]: Held(each["name"], digest=str(each.get("digest", "")), algorithm="fly")
            for each in body.get("secrets") or []
        }

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        self._api.hide(values.values())

        async def post() -> None:
            body = {"values": {name: value.reveal() for name, value in values.items()}}
            await self._api.ask("POST", self._path, body=body)

        return await all_at_once(list(values), post)

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        async def post() -> None:
            await self._api.ask("POST", self._path, body={"values": dict.fromkeys(names)})

        return await all_at_once(names, post)
