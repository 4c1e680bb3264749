"""GitHub Actions: secrets of a repository or of one of its environments, each sealed for its public key."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from underway.drivers.places.telling import one_by_one
from underway.drivers.places.web import Api, segment
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.secret import Secret

_PAGE = 100


class GithubPlace:
    """Driver of `Place`. Values are never given back; the time of the last change stands for a digest."""

    def __init__(self, address: PlaceAddress, api: Api) -> None:
        self.says = address.says
        repo = f"/repos/{segment(address.part(0))}/{segment(address.part(1))}"
        environment = address.part(2)
        self._path = f"{repo}/environments/{segment(environment)}/secrets" if environment else f"{repo}/actions/secrets"
        self._api = api
        self._key: tuple[str, str] | None = None

    async def held(self) -> Mapping[str, Held]:
        found: dict[str, Held] = {}
        page = 1
        while True:
            query = {"per_page": str(_PAGE), "page": str(page)}
            body = (await self._api.ask("GET", self._path, query=query)).body
            for each in body["secrets"]:
                found[each["name"]] = Held(each["name"], digest=each["updated_at"], algorithm="updated_at")
            if len(body["secrets"]) < _PAGE:
                return found
            page += 1

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        self._api.hide(values.values())

        async def put(name: str) -> None:
            if self._key is None:
                body = (await self._api.ask("GET", f"{self._path}/public-key")).body
                self._key = (body["key_id"], body["key"])
            key_id, key = self._key
            sealed = {"encrypted_value": seal(key, values[name]), "key_id": key_id}
            await self._api.ask("PUT", f"{self._path}/{segment(name)}", body=sealed)

        return await one_by_one(values, put)

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        async def delete(name: str) -> None:
            await self._api.ask("DELETE", f"{self._path}/{segment(name)}", allowed=(404,))

        return await one_by_one(names, delete)


def seal(key: str, value: Secret) -> str:
    """The value in a sealed box (libsodium crypto_box_seal) for the base 64 `key`: only its owner can open it."""
    from nacl.public import PublicKey, SealedBox

    sealed = SealedBox(PublicKey(base64.b64decode(key))).encrypt(value.reveal().encode())
    return base64.b64encode(sealed).decode()
