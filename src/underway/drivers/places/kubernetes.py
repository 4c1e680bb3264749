"""Kubernetes: one Secret of a namespace. A merge patch (RFC 7386) touches only the keys it names; null removes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from underway.drivers.places.telling import all_at_once
from underway.drivers.places.web import Api, segment
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.secret import Secret

_MERGE = "application/merge-patch+json"


class KubernetesPlace:
    """Driver of `Place`. Pods that take the Secret as environment see a change when they restart."""

    def __init__(self, address: PlaceAddress, api: Api) -> None:
        self.says = address.says
        self._name = address.part(1)
        self._all = f"/api/v1/namespaces/{segment(address.part(0))}/secrets"
        self._path = f"{self._all}/{segment(self._name)}"
        self._api = api

    async def held(self) -> Mapping[str, Held]:
        answer = await self._api.ask("GET", self._path, allowed=(404,))
        if answer.status == 404:
            return {}
        kept = (answer.body or {}).get("data") or {}
        is_ours = not (answer.body or {}).get("immutable", False)
        return {name: Held(name, _decoded(value), digest="", is_ours=is_ours) for name, value in kept.items()}

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        self._api.hide(values.values())

        async def patch() -> None:
            encoded = {name: _encoded(value) for name, value in values.items()}
            answer = await self._api.ask(
                "PATCH", self._path, body={"data": encoded}, content_type=_MERGE, allowed=(404,)
            )
            if answer.status == 404:
                made = {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "type": "Opaque",
                    "metadata": {"name": self._name, "labels": {"app.kubernetes.io/managed-by": "underway"}},
                    "data": encoded,
                }
                await self._api.ask("POST", self._all, body=made, may_repeat=False)

        return await all_at_once(list(values), patch)

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        async def patch() -> None:
            body = {"data": dict.fromkeys(names)}
            await self._api.ask("PATCH", self._path, body=body, content_type=_MERGE, allowed=(404,))

        return await all_at_once(names, patch)


def _encoded(value: Secret) -> str:
    return base64.b64encode(value.reveal().encode("utf-8", "surrogateescape")).decode()


def _decoded(text: str) -> Secret | None:
    try:
        return Secret(base64.b64decode(text, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return None  # bytes, no text: no variable of ours
