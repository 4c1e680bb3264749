"""Supabase: secrets of a project's Edge Functions (Management API). Merged in one call; values are not given back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from underway.drivers.places.telling import all_at_once
from underway.drivers.places.web import Api, segment
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.secret import Secret


class SupabasePlace:
    """Driver of `Place`. Where the value stands the answer has a digest; it counts as one only if it looks so."""

    def __init__(self, address: PlaceAddress, api: Api) -> None:
        self.says = address.says
        self._path = f"/v1/projects/{segment(address.part(0))}/secrets"
        self._api = api

    async def held(self) -> Mapping[str, Held]:
        body = (await self._api.ask("GET", self._path)).body or []
        return {
            each["name"]: Held(
                each["name"], digest=each["value"], algorithm="sha256", is_ours=not each["name"].startswith("SUPABASE_")
            )
            for each in body
        }

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        self._api.hide(values.values())

        async def post() -> None:
            body = [{"name": name, "value": value.reveal()} for name, value in values.items()]
            await self._api.ask("POST", self._path, body=body)

        return await all_at_once(list(values), post)

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        async def delete() -> None:
            await self._api.ask("DELETE", self._path, body=list(names), allowed=(404,))

        return await all_at_once(names, delete)
