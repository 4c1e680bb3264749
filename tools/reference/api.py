"""docs/api.md and docs/openapi.json from the endpoints of the agent."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from underway.agent.api import ENDPOINTS, openapi_document

_HEAD = inspect.cleandoc(
    """
    # The agent's API

    <!-- Made by `python -m tools.reference` from src/underway/agent/api.py and views.py. Edit those instead. -->

    The agent answers HTTP on the unix socket `run/agent.sock` of its home, which only its owner can open (0600 in a
    0700 folder; a home with a long path has it in `$XDG_RUNTIME_DIR/underway-ID` or `/tmp/underway-ID`). The command
    line is a client of this API and does nothing that the API cannot. The version is in the path. The same as OpenAPI
    3.1: [openapi.json](openapi.json), and `GET /v1/openapi.json` of a running agent.

    ```
    curl --unix-socket "$UNDERWAY_HOME/run/agent.sock" http://underway/v1/status
    ```

    What is refused answers with a status of 400, 404 or 409 and [Refused](#refused), a fault of Underway with 500 and
    the same shape. Streams are JSON lines (`application/x-ndjson`).
    """
)


def openapi_json() -> str:
    document = openapi_document()
    document["info"].pop("x-underway")  # the program's version is not part of the interface
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def api_md() -> str:
    """The page. Raises `ValueError` for an endpoint without a description."""
    document = openapi_document()
    out = [_HEAD, ""]
    for endpoint in ENDPOINTS:
        operation = document["paths"][endpoint.path][endpoint.method.lower()]
        if not operation["summary"]:
            raise ValueError(f"{endpoint.method} {endpoint.path} says nothing of itself")
        out += [f"## `{endpoint.method} {endpoint.path}`", "", operation["summary"], ""]
        query = [p for p in operation["parameters"] if p["in"] == "query"]
        if query:
            out += ["| query | meaning |", "|---|---|", *(f"| `{p['name']}` | {p['description']} |" for p in query), ""]
        if body := operation.get("requestBody"):
            out += [f"Takes {_kind(_schema(body['content']))}.", ""]
        content = operation["responses"]["2XX"]["content"]
        if "application/json" in content:
            out += [f"Gives {_kind(_schema(content))}.", ""]
        elif endpoint.path in ("/v1/events", "/v1/apps/{app}/logs"):
            shape = "[events](events.md)" if endpoint.path == "/v1/events" else "`{source, line}`"
            between = content["application/x-ndjson"].get("x-lines-between")
            out += [f"Gives JSON lines: {shape}{f'; with `follow` also {_kind(between)}' if between else ''}.", ""]
    out += ["## Shapes", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        out += [f"### {name}", "", *_shape(schema)]
    return "\n".join(out).rstrip("\n") + "\n"


def _schema(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return content["application/json"].get("schema", {})


def _shape(schema: Mapping[str, Any]) -> list[str]:
    says = [inspect.cleandoc(schema["description"]), ""] if schema.get("description") else []
    if "enum" in schema:
        return [*says, " · ".join(f"`{value}`" for value in schema["enum"]), ""]
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_kind(each)} | {'' if name in required else _default(each)} |"
        for name, each in schema.get("properties", {}).items()
    ]
    return [*says, "| field | type | default |", "|---|---|---|", *rows, ""]


def _default(schema: Mapping[str, Any]) -> str:
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else "set by the agent"


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"list of {_kind(schema.get('items') or {})}"
        case "object":
            inner = schema.get("additionalProperties")
            return f"object of {_kind(inner)} by name" if isinstance(inner, Mapping) else "object"
        case "string":
            return "text"
        case "integer":
            return "whole number"
        case "number":
            return "number"
        case "boolean":
            return "true or false"
        case "null":
            return "null"
        case _:
            return "JSON"
