"""Google Secret Manager: one secret per name. A value is an immutable version, so to set is to add one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from underway.drivers.places.telling import one_by_one
from underway.drivers.places.web import Api, segment
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.secret import Secret

LABEL = ("managed-by", "underway")


class GoogleSecretsPlace:
    """Driver of `Place`. Secrets without our label are never called extra: a project holds other things too."""

    def __init__(self, address: PlaceAddress, api: Api) -> None:
        self.says = address.says
        self._all = f"/v1/projects/{segment(address.part(0))}/secrets"
        self._prefix = address.part(1)
        self._api = api

    async def held(self) -> Mapping[str, Held]:
        found: dict[str, Held] = {}
        token = ""
        while True:
            query = {"pageSize": "250", **({"pageToken": token} if token else {})}
            body = (await self._api.ask("GET", self._all, query=query)).body or {}
            for each in body.get("secrets") or []:
                full = each["name"].rpartition("/")[2]
                if full.startswith(self._prefix):
                    name = full.removeprefix(self._prefix)
                    is_labelled = (each.get("labels") or {}).get(LABEL[0]) == LABEL[1]
                    is_read = is_labelled or bool(self._prefix)  # each reading is in the project's audit log
                    found[name] = Held(name, await self._value(full) if is_read else None, may_prune=is_labelled)
            token = body.get("nextPageToken") or ""
            if not token:
                return found

    async def _value(self, full: str) -> Secret | None:
        path = f"{self._all}/{segment(full)}/versions/latest:access"
        answer = await self._api.ask("GET", path, allowed=(400, 404))
        if answer.status != 200:  # no version yet, or the latest is disabled or destroyed
            return None
        payload = (answer.body or {}).get("payload") or {}
        try:
            content = base64.b64decode(payload.get("data") or "")
            if payload.get("dataCrc32c") and int(payload["dataCrc32c"]) != crc32c(content):
                raise self._api.refuse("a value came back damaged (its CRC-32C differs)", "run it again")
            return Secret(content.decode())
        except (binascii.Error, UnicodeDecodeError):
            return None

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        self._api.hide(values.values())

        async def add(name: str) -> None:
            full, content = self._prefix + name, values[name].reveal().encode()
            data = base64.b64encode(content).decode()
            payload = {"payload": {"data": data, "dataCrc32c": str(crc32c(content))}}
            version = f"{self._all}/{segment(full)}:addVersion"
            answer = await self._api.ask("POST", version, body=payload, allowed=(404,))
            if answer.status == 404:
                made = {"replication": {"automatic": {}}, "labels": dict([LABEL])}
                await self._api.ask("POST", self._all, query={"secretId": full}, body=made, allowed=(409,))
                await self._api.ask("POST", version, body=payload)

        return await one_by_one(values, add)

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        async def delete(name: str) -> None:
            await self._api.ask("DELETE", f"{self._all}/{segment(self._prefix + name)}", allowed=(404,))

        return await one_by_one(names, delete)


def _table() -> list[int]:
    out = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        out.append(number)
    return out


_TABLE = _table()


def crc32c(content: bytes) -> int:
    """CRC-32C (Castagnoli, RFC 3720 appendix B.4), which Secret Manager checks."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
