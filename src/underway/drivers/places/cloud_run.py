"""Cloud Run (v2): the environment of one container. The list is replaced whole, so it is read, merged, written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from underway.drivers.places.telling import all_at_once
from underway.drivers.places.web import Api, Manners, segment
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.secret import Secret

_POLLS = 60
_POLL_S = 2.0


class CloudRunPlace:
    """Driver of `Place`. The service's etag keeps another writer's change from being lost: it is then refused."""

    def __init__(self, address: PlaceAddress, api: Api, manners: Manners) -> None:
        self.says = address.says
        project, region, service = address.parts[:3]
        self._container = address.part(3)
        self._path = f"/v2/projects/{segment(project)}/locations/{segment(region)}/services/{segment(service)}"
        self._api = api
        self._sleep = manners.sleep

    async def held(self) -> Mapping[str, Held]:
        _, _, container = await self._service()
        found: dict[str, Held] = {}
        for each in container.get("env") or []:
            is_plain = "valueSource" not in each
            value = Secret(each.get("value") or "") if is_plain else None
            found[each["name"]] = Held(each["name"], value, is_ours=is_plain)
        return found

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        self._api.hide(values.values())
        return await all_at_once(list(values), lambda: self._write(values, ()))

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        return await all_at_once(list(names), lambda: self._write({}, names))

    async def _write(self, values: Mapping[str, Secret], gone: Sequence[str]) -> None:
        etag, template, container = await self._service()
        before = container.get("env") or []
        kept = [each for each in before if each["name"] not in values and each["name"] not in gone]
        container["env"] = kept + [{"name": name, "value": value.reveal()} for name, value in values.items()]
        if container["env"] == before:
            return
        template.pop("revision", None)  # a name that is taken: the next revision gets one of its own
        self._api.hide(Secret(each["value"]) for each in kept if each.get("value"))
        # with the etag a second writing of the same is refused, not done twice
        answer = await self._api.ask(
            "PATCH",
            self._path,
            query={"updateMask": "template"},
            body={"template": template, **({"etag": etag} if etag else {})},
        )
        await self._finished(answer.body or {})

    async def _finished(self, operation: dict[str, Any]) -> None:
        for _ in range(_POLLS):
            if operation.get("done"):
                fault = operation.get("error")
                if fault:
                    said = f"the new revision did not become ready: {fault.get('message', '')}"
                    raise self._api.refuse(said, "see the service's log there; the old revision goes on serving")
                return
            await self._sleep(_POLL_S)
            name = "/".join(segment(part) for part in str(operation.get("name", "")).split("/"))
            operation = (await self._api.ask("GET", f"/v2/{name}")).body or {}
        raise self._api.refuse("the new revision is not ready after two minutes", "see the service there")

    async def _service(self) -> tuple[str, dict[str, Any], dict[str, Any]]:
        service = (await self._api.ask("GET", self._path)).body or {}
        template = service.get("template") or {}
        containers = template.get("containers") or []
        wanted = [each for each in containers if each.get("name") == self._container] if self._container else containers
        if not wanted:
            raise self._api.refuse("it has no such container", "name one of its containers after the service")
        if len(wanted) > 1:  # the one with a port takes the requests (run.v2, Container.ports)
            wanted = [each for each in wanted if each.get("ports")] or wanted
        return service.get("etag") or "", template, wanted[0]
