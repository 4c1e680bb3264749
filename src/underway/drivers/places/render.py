"""Render: variables of one service (api-docs.render.com). Each is put alone: replace-all would remove the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from underway.drivers.places.telling import one_by_one
from underway.drivers.places.web import Api, segment
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.secret import Secret

_PAGE = 100


class RenderPlace:
    """Driver of `Place`."""

    def __init__(self, address: PlaceAddress, api: Api) -> None:
        self.says = address.says
        self._path = f"/services/{segment(address.part(0))}/env-vars"
        self._api = api

    async def held(self) -> Mapping[str, Held]:
        found: dict[str, Held] = {}
        cursor = ""
        while True:
            query = {"limit": str(_PAGE), **({"cursor": cursor} if cursor else {})}
            page = (await self._api.ask("GET", self._path, query=query)).body or []
            for each in page:
                name = each["envVar"]["key"]
                found[name] = Held(name, Secret(each["envVar"]["value"]))
            if len(page) < _PAGE or page[-1]["cursor"] == cursor:
                return found
            cursor = page[-1]["cursor"]

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        self._api.hide(values.values())

        async def put(name: str) -> None:
            value = values[name]
            await self._api.ask("PUT", f"{self._path}/{segment(name)}", body={"value": value.reveal()})

        return await one_by_one(values, put)

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        async def delete(name: str) -> None:
            await self._api.ask("DELETE", f"{self._path}/{segment(name)}", allowed=(404,))

        return await one_by_one(names, delete)
