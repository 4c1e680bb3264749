"""Vercel: variables of a project for one target. One record may serve several targets: it is split, never widened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from underway.drivers.places.telling import one_by_one
from underway.drivers.places.web import Api, segment
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.problem import Failure
from underway.terms.secret import Secret

_READABLE = frozenset({"plain", "encrypted"})


class VercelPlace:
    """Driver of `Place`. Records of a git branch, of a custom environment and of the system are not ours."""

    def __init__(self, address: PlaceAddress, api: Api) -> None:
        self.says = address.says
        project = segment(address.part(0))
        self._target = address.part(1)
        self._team = {"teamId": address.part(2)} if address.part(2) else {}
        self._list = f"/v10/projects/{project}/env"
        self._one = f"/v9/projects/{project}/env"
        self._api = api

    async def held(self) -> Mapping[str, Held]:
        return {name: self._as_held(record) for name, record in (await self._records()).items()}

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        self._api.hide(values.values())
        try:
            records = await self._records()
        except Failure as failure:
            return [Told(name, failure.problem) for name in values]
        shared = [name for name in values if name in records and len(_targets(records[name])) > 1]
        narrowed = {each.name: each for each in await one_by_one(shared, lambda name: self._narrow(records[name]))}
        ready = {
            name: value for name, value in values.items() if name not in narrowed or narrowed[name].problem is None
        }
        told = {each.name: each for each in await self._upsert(ready, records)}
        return [told.get(name) or narrowed[name] for name in values]

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        try:
            records = await self._records()
        except Failure as failure:
            return [Told(name, failure.problem) for name in names]

        async def remove(name: str) -> None:
            record = records.get(name)
            if record is None:
                return
            if len(_targets(record)) > 1:
                await self._narrow(record)
            else:
                path = f"{self._one}/{segment(record['id'])}"
                await self._api.ask("DELETE", path, query=self._team, allowed=(404,))

        return await one_by_one(names, remove)

    async def _records(self) -> dict[str, dict[str, Any]]:
        body = (await self._api.ask("GET", self._list, query={"decrypt": "true", **self._team})).body
        listed = body.get("envs", [body] if "key" in body else []) if isinstance(body, dict) else []
        return {
            record["key"]: record
            for record in listed
            if self._target in _targets(record)
            and not record.get("gitBranch")
            and not record.get("customEnvironmentIds")
        }

    def _as_held(self, record: dict[str, Any]) -> Held:
        is_readable = record["type"] in _READABLE and record.get("decrypted", True)
        value = Secret(record["value"]) if is_readable and record.get("value") is not None else None
        is_ours = record["type"] != "system" and not record.get("configurationId")
        changed = str(record.get("updatedAt") or "")
        return Held(record["key"], value, digest="" if is_readable else changed, algorithm="updatedAt", is_ours=is_ours)

    async def _narrow(self, record: dict[str, Any]) -> None:
        """Take our target from a record that serves others too; they keep what they have."""
        others = [each for each in _targets(record) if each != self._target]
        await self._api.ask("PATCH", f"{self._one}/{segment(record['id'])}", query=self._team, body={"target": others})

    async def _upsert(self, values: Mapping[str, Secret], records: Mapping[str, dict[str, Any]]) -> list[Told]:
        if not values:
            return []
        body = [
            {"key": name, "value": value.reveal(), "type": self._type(records.get(name)), "target": [self._target]}
            for name, value in values.items()
        ]
        try:
            query = {"upsert": "true", **self._team}
            answer = (await self._api.ask("POST", self._list, query=query, body=body)).body or {}
        except Failure as failure:
            return [Told(name, failure.problem) for name in values]
        failed = {}
        for each in answer.get("failed") or []:
            error = each.get("error") or {}
            name = error.get("envVarKey") or error.get("key") or ""
            why = f"it answers {error.get('code', '')}: {error.get('message', '')}"
            failed[name] = self._api.refuse(why, "mend what it names and run it again").problem
        stray = next((problem for name, problem in failed.items() if name not in values), None)
        created = {each.get("key") for each in _list(answer.get("created"))}
        return [Told(name, failed.get(name) or (stray if name not in created else None)) for name in values]

    def _type(self, record: dict[str, Any] | None) -> str:
        if record is not None and record["type"] in ("plain", "encrypted", "sensitive"):
            return str(record["type"])
        return "encrypted" if self._target == "development" else "sensitive"


def _list(created: object) -> list[dict[str, Any]]:
    return created if isinstance(created, list) else [created] if isinstance(created, dict) else []


def _targets(record: Mapping[str, Any]) -> list[str]:
    target = record.get("target") or []
    return [target] if isinstance(target, str) else list(target)
