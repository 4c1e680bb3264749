"""A provider's published contract as a judge of requests and answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema

CONTRACTS = Path(__file__).parents[3].parent / "shared" / "contracts"


_KEPT = frozenset({"required", "enum", "type", "pattern", "maxLength", "minLength", "maxItems", "minItems", "const"})


class Refused(Exception):
    """The contract does not allow this."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@cache
def load(name: str) -> OpenApi:
    return OpenApi(json.loads((CONTRACTS / name).read_text(encoding="utf-8")))


class OpenApi:
    """OpenAPI 3 or Swagger 2."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._paths = [(_pattern(path), path) for path in document["paths"]]
        self._schemas: dict[tuple[str, str, str], Any] = {}

    def check_request(self, request: Request) -> str:
        """The path template of the operation. Raises `Refused`: unknown operation, query or body."""
        template, operation = self._operation(request)
        shared = self._document["paths"][template].get("parameters", [])
        parameters = [self._resolved(each) for each in [*shared, *operation.get("parameters", [])]]
        self._check_query(request, [each for each in parameters if each["in"] == "query"])
        values = _pattern(template).fullmatch(request.path)
        assert values is not None
        for number, each in enumerate(re.findall(r"{([^}]+)}", template)):
            found = next((p for p in parameters if p["in"] == "path" and p["name"] == each), None)
            if found:
                self._validate(
                    unquote(values[number + 1]), self._inlined(found.get("schema", found), ()), f"path {each}"
                )
        self._check_body(request, template, operation, parameters)
        return template

    def check_answer(self, request: Request, status: int, body: Any) -> None:
        """Raises `Refused` when the operation has no such answer, or it looks otherwise."""
        _, operation = self._operation(request)
        answers = operation["responses"]
        answer = self._resolved(
            answers.get(str(status)) or answers.get(f"{status // 100}XX") or answers.get("default") or {}
        )
        if not answer and status < 400 and status != 302:
            raise Refused(f"{request.method} {request.path} never answers {status}")
        schema = answer.get("content", {}).get("application/json", {}).get("schema") or answer.get("schema")
        if schema is not None and body is not None and status < 300:
            self._validate(body, self._inlined(schema, (), is_strict=False), f"answer {status}")

    def _operation(self, request: Request) -> tuple[str, dict[str, Any]]:
        fitting = [path for pattern, path in self._paths if pattern.fullmatch(request.path)]
        fitting.sort(key=lambda path: path.count("{"))
        for path in fitting:
            operation = self._document["paths"][path].get(request.method.lower())
            if operation is not None:
                return path, operation
        raise Refused(f"{request.method} {request.path} is no operation of the contract")

    def _check_query(self, request: Request, parameters: list[dict[str, Any]]) -> None:
        known = {each["name"]: each for each in parameters}
        common = {each["name"] for each in map(self._resolved, self._document.get("x-query", []))}
        for name, value in request.query.items():
            if name not in known and name not in common:
                raise Refused(f"no query parameter {name}")
            schema = known[name].get("schema", known[name])
            kind = self._resolved(schema).get("type")
            given: Any = value
            if kind in ("integer", "number"):
                if not re.fullmatch(r"-?\d+", value):
                    raise Refused(f"query {name} is no number: {value}")
                given = int(value)
            elif kind == "boolean":
                if value not in ("true", "false"):
                    raise Refused(f"query {name} is neither true nor false")
                given = value == "true"
            self._validate(given, self._inlined(schema, ()), f"query {name}")
        for name, each in known.items():
            if each.get("required") and name not in request.query:
                raise Refused(f"query parameter {name} is missing")

    def _check_body(
        self, request: Request, template: str, operation: dict[str, Any], parameters: list[dict[str, Any]]
    ) -> None:
        content_type = request.headers.get("content-type", "")
        in_body = next((each for each in parameters if each["in"] == "body"), None)
        if in_body is not None:  # Swagger 2
            consumes = operation.get("consumes", ["*/*"])
            if "*/*" not in consumes and content_type not in consumes:
                raise Refused(f"the body is {content_type}, and it takes {consumes}")
            schema, is_needed = in_body["schema"], bool(in_body.get("required"))
        else:
            wanted = self._resolved(operation.get("requestBody", {}))
            media = wanted.get("content", {})
            if request.body is None:
                needs = [self._resolved(each.get("schema", {})).get("required") for each in media.values()]
                if wanted.get("required") or any(needs):
                    raise Refused("there is no body")
                return
            if not media:
                raise Refused("a body where none is taken")
            if content_type not in media:
                raise Refused(f"the body is {content_type}, and it takes {list(media)}")
            schema, is_needed = media[content_type]["schema"], bool(wanted.get("required"))
        if request.body is None:
            if is_needed:
                raise Refused("there is no body")
            return
        key = (request.method, template, content_type)
        if key not in self._schemas:
            self._schemas[key] = self._inlined(schema, ())
        self._validate(request.body, self._schemas[key], "body")

    def _validate(self, value: Any, schema: Any, where: str) -> None:
        error = next(iter(jsonschema.Draft202012Validator(schema).iter_errors(value)), None)
        if error is not None:
            raise Refused(f"{where} {error.json_path}: {error.message[:200]}")

    def _resolved(self, node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            found: Any = self._document
            for part in node["$ref"][2:].split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def _inlined(self, node: Any, seen: tuple[int, ...], is_strict: bool = True) -> Any:
        """The schema without references; properties that it does not name are refused in what is sent.

        Providers drop such properties or refuse them: neither is what an adapter wants.
        """
        node = self._resolved(node)
        if not isinstance(node, dict):
            return node
        if id(node) in seen or len(seen) > 40:
            return {}
        inner = (*seen, id(node))
        out: dict[str, Any] = {}
        for key, value in node.items():
            if key == "properties":
                out[key] = {name: self._inlined(each, inner, is_strict) for name, each in value.items()}
            elif key in ("items", "additionalProperties", "not"):
                out[key] = self._inlined(value, inner, is_strict)
            elif key in ("oneOf", "anyOf", "allOf"):
                name = "anyOf" if key == "oneOf" and not is_strict else key  # answers of several kinds overlap
                out[name] = [self._inlined(each, inner, is_strict) for each in value]
            elif key in _KEPT and (key != "required" or isinstance(value, list)):
                out[key] = value
        if node.get("nullable") and isinstance(out.get("type"), str):
            out["type"] = [out["type"], "null"]
            if "enum" in out and None not in out["enum"]:
                out["enum"] = [*out["enum"], None]
        names = set(out.get("properties", {}))
        is_example = names and all(name.isupper() for name in names)  # Doppler shows sample names of secrets
        if is_example:
            out["additionalProperties"] = next(iter(out["properties"].values()))
        if is_strict and names and "additionalProperties" not in out and "allOf" not in out:
            out["additionalProperties"] = False
        return out


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"{[^}]+}", path)
    return re.compile("([^/]+?)".join(re.escape(part) for part in parts))
