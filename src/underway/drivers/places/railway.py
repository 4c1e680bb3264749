"""Railway: variables of a service, or shared ones of an environment, over GraphQL. Faults come with status 200."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from underway.drivers.places.telling import all_at_once, one_by_one
from underway.drivers.places.web import Api
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.secret import Secret

VARIABLES = """\
query variables($projectId: String!, $environmentId: String!, $serviceId: String) {
  variables(projectId: $projectId, environmentId: $environmentId, serviceId: $serviceId, unrendered: true)
}"""
UPSERT = """\
mutation upsert($input: VariableCollectionUpsertInput!) {
  variableCollectionUpsert(input: $input)
}"""
DELETE = """\
mutation remove($input: VariableDeleteInput!) {
  variableDelete(input: $input)
}"""


class RailwayPlace:
    """Driver of `Place`. Sets start no deploy (`skipDeploys`); what refers to other variables is left alone."""

    def __init__(self, address: PlaceAddress, api: Api) -> None:
        self.says = address.says
        service = {"serviceId": address.part(2)} if address.part(2) else {}
        self._where = {"projectId": address.part(0), "environmentId": address.part(1), **service}
        self._api = api

    async def held(self) -> Mapping[str, Held]:
        found = (await self._ask(VARIABLES, self._where)).get("variables") or {}
        return {
            name: Held(name, Secret(str(value)), is_ours=not name.startswith("RAILWAY_") and "${{" not in str(value))
            for name, value in found.items()
        }

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        self._api.hide(values.values())

        async def upsert() -> None:
            variables = {name: value.reveal() for name, value in values.items()}
            asked = {**self._where, "variables": variables, "replace": False, "skipDeploys": True}
            await self._ask(UPSERT, {"input": asked})

        return await all_at_once(list(values), upsert)

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        async def delete(name: str) -> None:
            await self._ask(DELETE, {"input": {**self._where, "name": name}})

        return await one_by_one(names, delete)

    async def _ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._api.ask("POST", "", body={"query": query, "variables": variables})
        body = answer.body if isinstance(answer.body, dict) else {}
        errors = body.get("errors")
        if errors:
            said = "; ".join(str(each.get("message", "")) for each in errors[:3] if isinstance(each, dict))
            if "not authorized" in said.lower() or "unauthorized" in said.lower():
                raise self._api.expired(f"the token is not valid or may not do this ({said})")
            raise self._api.refuse(f"it answers: {said}", "mend what it names and run it again")
        if not isinstance(body.get("data"), dict):
            raise self._api.refuse("its answer has no data", "check RAILWAY_API_URL")
        return dict(body["data"])
