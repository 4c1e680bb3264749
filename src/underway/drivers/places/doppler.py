"""Doppler: the secrets of one config (docs.doppler.com). Sets are merged; removals go one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from underway.drivers.places.telling import all_at_once, one_by_one
from underway.drivers.places.web import Api
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.secret import Secret


class DopplerPlace:
    """Driver of `Place`. What is written is compared (`raw`), not what it expands to."""

    def __init__(self, address: PlaceAddress, api: Api) -> None:
        self.says = address.says
        self._where = {"project": address.part(0), "config": address.part(1)}
        self._api = api

    async def held(self) -> Mapping[str, Held]:
        query = {**self._where, "include_managed_secrets": "false"}
        body = (await self._api.ask("GET", "/configs/config/secrets", query=query)).body or {}
        found: dict[str, Held] = {}
        for name, each in (body.get("secrets") or {}).items():
            raw = each.get("raw")
            is_ours = not name.startswith("DOPPLER_") and "${" not in (raw or "")
            found[name] = Held(name, None if raw is None else Secret(raw), is_ours=is_ours)
        return found

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        self._api.hide(values.values())

        async def post() -> None:
            body = {**self._where, "secrets": {name: value.reveal() for name, value in values.items()}}
            await self._api.ask("POST", "/configs/config/secrets", body=body)

        return await all_at_once(list(values), post)

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        async def delete(name: str) -> None:
            await self._api.ask("DELETE", "/configs/config/secret", query={**self._where, "name": name}, allowed=(404,))

        return await one_by_one(names, delete)
