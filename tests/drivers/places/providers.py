"""Stand-ins for the providers, each with its true semantics: who merges, who replaces, who gives values back."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import graphql
from graphql.execution.values import get_variable_values
from nacl.public import PrivateKey, SealedBox
from tests.drivers.places.contract import CONTRACTS, Refused, Request, load
from tests.drivers.places.server import TOKEN, Provider

from underway.drivers.places.google_secrets import crc32c


class Render(Provider):
    prefix = "/v1"

    def __init__(self) -> None:
        super().__init__()
        self.contract = load("render/openapi-derived-2026-08.json")

    def answer(self, request: Request) -> tuple[int, Any]:
        names = sorted(self.state)
        if request.method == "GET":
            limit, after = int(request.query.get("limit", 20)), request.query.get("cursor", "")
            page = [name for name in names if name > after][:limit]
            return 200, [{"envVar": {"key": name, "value": self.state[name]}, "cursor": name} for name in page]
        name = request.path.rpartition("/")[2]
        if request.method == "DELETE":
            return (204, None) if self.state.pop(name, None) is not None else (404, {"message": "not found"})
        if name in self.bad_names:
            return 400, {"message": f"invalid value {request.body['value']} for {name}"}
        self.state[name] = request.body["value"]
        return 200, {"key": name, "value": self.state[name]}


class Doppler(Provider):
    prefix = "/v3"

    def __init__(self) -> None:
        super().__init__()
        openapi = load("doppler/openapi-2024-05.json")
        self.contract = Prefixed(openapi, "/v3")
        self.state["DOPPLER_CONFIG"] = "prd"

    def expired(self) -> tuple[int, Any]:
        return 401, {"messages": [f"Invalid Service token {TOKEN}"], "success": False}

    def answer(self, request: Request) -> tuple[int, Any]:
        if request.method == "GET":
            return 200, {"secrets": {name: {"raw": value, "computed": value} for name, value in self.state.items()}}
        if request.method == "DELETE":
            self.state.pop(request.query["name"], None)
            return 204, None
        secrets = request.body["secrets"]
        for name, value in secrets.items():
            if name in self.bad_names:
                return 400, {"messages": [f"{name}: {value} is not allowed"], "success": False}
        self.state |= secrets
        return 200, {"secrets": {}}


class Supabase(Provider):
    def __init__(self) -> None:
        super().__init__()
        self.contract = load("supabase/management.openapi.json")
        self.state["SUPABASE_URL"] = "https://x"

    def answer(self, request: Request) -> tuple[int, Any]:
        if request.method == "GET":
            digests = {name: hashlib.sha256(value.encode()).hexdigest() for name, value in self.state.items()}
            return 200, [{"name": name, "value": digest} for name, digest in digests.items()]
        if request.method == "DELETE":
            for name in request.body:
                self.state.pop(name, None)
            return 200, None
        for each in request.body:
            if each["name"] in self.bad_names:
                return 400, {"message": f"{each['name']} with {each['value']} is invalid"}
        self.state |= {each["name"]: each["value"] for each in request.body}
        return 201, None


class Fly(Provider):
    prefix = "/v1"

    def __init__(self) -> None:
        super().__init__()
        self.contract = load("fly/machines.openapi-derived.json")
        self.version = 1

    def answer(self, request: Request) -> tuple[int, Any]:
        if request.method == "GET":
            return 200, {"secrets": [{"name": name, "digest": _keyed(value)} for name, value in self.state.items()]}
        for name, value in request.body["values"].items():
            if name in self.bad_names and value is not None:
                return 400, {"error": f"{name}: {value} is invalid"}
        for name, value in request.body["values"].items():
            if value is None:
                self.state.pop(name, None)
            else:
                self.state[name] = value
        self.version += 1
        return 200, {"secrets": [], "version": self.version}


def _keyed(value: str) -> str:
    return hashlib.blake2b(value.encode(), key=b"fly", digest_size=8).hexdigest()


class Github(Provider):
    def __init__(self) -> None:
        super().__init__()
        self.contract = load("github/api.github.com.trimmed.json")
        self.key = PrivateKey.generate()
        self.changed: dict[str, int] = {}
        self.clock = 0

    def expired(self) -> tuple[int, Any]:
        return 401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"}

    def answer(self, request: Request) -> tuple[int, Any]:
        name = request.path.rpartition("/")[2]
        if name == "public-key":
            return 200, {"key_id": "k1", "key": base64.b64encode(bytes(self.key.public_key)).decode()}
        if request.method == "GET":
            per, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
            names = sorted(self.state)[(page - 1) * per : page * per]
            listed = [
                {"name": each, "created_at": _time(0), "updated_at": _time(self.changed.get(each, 0))} for each in names
            ]
            return 200, {"total_count": len(self.state), "secrets": listed}
        if request.method == "DELETE":
            return (204, None) if self.state.pop(name, None) is not None else (404, {"message": "Not Found"})
        if name in self.bad_names or not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
            return 422, {"message": f"{name} is invalid"}
        assert request.body["key_id"] == "k1"
        is_new = name not in self.state
        sealed = base64.b64decode(request.body["encrypted_value"])
        self.state[name] = SealedBox(self.key).decrypt(sealed).decode()
        self.clock += 1
        self.changed[name] = self.clock
        return (201, {}) if is_new else (204, None)


def _time(seconds: int) -> str:
    return f"2030-01-01T00:{seconds // 60:02}:{seconds % 60:02}Z"


class Kubernetes(Provider):
    def __init__(self) -> None:
        super().__init__()
        self.contract = MergePatched(load("kubernetes/swagger.json"), load("kubernetes/swagger.json"))
        self.exists = False

    def expired(self) -> tuple[int, Any]:
        return 401, {"kind": "Status", "status": "Failure", "message": "Unauthorized", "code": 401}

    def answer(self, request: Request) -> tuple[int, Any]:
        body = request.body or {}
        for name, value in (body.get("data") or {}).items():
            if name in self.bad_names and value is not None:
                return 422, {"kind": "Status", "message": f"{name}: Invalid value: {value}", "code": 422}
        if request.method == "POST":
            self.exists = True
            self.state |= {
                name: base64.b64decode(value, validate=True).decode() for name, value in body["data"].items()
            }
            return 201, self._object()
        if not (self.exists or self.state):
            return 404, {"kind": "Status", "message": "secrets not found", "code": 404}
        if request.method == "PATCH":
            for name, value in body["data"].items():
                if value is None:
                    self.state.pop(name, None)
                else:
                    self.state[name] = base64.b64decode(value, validate=True).decode()
            self.exists = True
        return 200, self._object()

    def _object(self) -> dict[str, Any]:
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in self.state.items()}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "app-env"},
            "type": "Opaque",
            "data": encoded,
        }


class SecretManager(Provider):
    def __init__(self) -> None:
        super().__init__()
        self.contract = load("gcp/secretmanager.v1.openapi.json")
        self.labelled: set[str] = set()
        self.foreign = {"someone-elses"}

    def expired(self) -> tuple[int, Any]:
        return 401, _google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")

    def answer(self, request: Request) -> tuple[int, Any]:
        base = "/v1/projects/shop-prod/secrets"
        rest = request.path.removeprefix(base).lstrip("/")
        if request.method == "GET" and not rest:
            names = sorted({*(f"shop-{name}" for name in self.state), *self.foreign})
            start = int(request.query.get("pageToken") or 0)
            page = names[start : start + 2]
            listed = [
                {"name": f"{base[4:]}/{each}", "labels": {} if each in self.foreign else {"managed-by": "underway"}}
                for each in page
            ]
            more = {"nextPageToken": str(start + 2)} if start + 2 < len(names) else {}
            return 200, {"secrets": listed, **more}
        if request.method == "POST" and not rest:
            name = request.query["secretId"].removeprefix("shop-")
            if name in self.labelled:
                return 409, _google(409, "ALREADY_EXISTS", "already exists")
            self.labelled.add(name)
            return 200, {"name": f"{base}/{request.query['secretId']}"}
        full, _, verb = rest.partition(":")
        name = full.split("/")[0].removeprefix("shop-")
        if request.method == "DELETE":
            self.labelled.discard(name)
            return (200, {}) if self.state.pop(name, None) is not None else (404, _google(404, "NOT_FOUND", "none"))
        if verb == "addVersion":
            if name not in self.labelled and name not in self.state:
                return 404, _google(404, "NOT_FOUND", f"Secret [{name}] not found")
            payload = request.body["payload"]
            content = base64.b64decode(payload["data"], validate=True)
            if name in self.bad_names:
                return 400, _google(400, "INVALID_ARGUMENT", f"{name}: {payload['data']} refused")
            if int(payload["dataCrc32c"]) != crc32c(content):
                return 400, _google(400, "DATA_LOSS", "checksum")
            self.state[name] = content.decode()
            return 200, {"name": f"{rest}/versions/1", "state": "ENABLED"}
        assert verb == "access"
        if name not in self.state:
            return 404, _google(404, "NOT_FOUND", "no version")
        content = self.state[name].encode()
        data = {"data": base64.b64encode(content).decode(), "dataCrc32c": str(crc32c(content))}
        return 200, {"name": rest, "payload": data}


class CloudRun(Provider):
    """`template` is replaced by what is sent; the etag must be the current one."""

    def __init__(self) -> None:
        super().__init__()
        self.contract = load("gcp/run.v2.openapi.json")
        self.etag = 1
        self.pointing = {"FROM_VAULT": {"secretKeyRef": {"secret": "db", "version": "latest"}}}
        self.others: dict[str, Any] = {"image": "r/app:1", "name": "app", "ports": [{"containerPort": 8080}]}
        self.polls = 0

    def expired(self) -> tuple[int, Any]:
        return 401, _google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")

    def answer(self, request: Request) -> tuple[int, Any]:
        if "/operations/" in request.path:
            self.polls += 1
            return 200, {"name": request.path.removeprefix("/v2/"), "done": True, "response": {}}
        if request.method == "GET":
            env: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in self.state.items()]
            env += [{"name": name, "valueSource": source} for name, source in self.pointing.items()]
            template = {
                "revision": "app-00001-abc",
                "serviceAccount": "run@shop-prod.iam",
                "containers": [{"name": "sidecar", "image": "r/log:1"}, {**self.others, "env": env}],
            }
            return 200, {"name": request.path[4:], "etag": f'"{self.etag}"', "template": template}
        body = request.body
        if body.get("etag") != f'"{self.etag}"':
            return 409, _google(409, "ABORTED", "the etag does not match")
        template = body["template"]
        assert "revision" not in template
        assert template["serviceAccount"] == "run@shop-prod.iam"
        sidecar, app = template["containers"]
        assert sidecar == {"name": "sidecar", "image": "r/log:1"}
        assert {key: value for key, value in app.items() if key != "env"} == self.others
        for each in app["env"]:
            if each["name"] in self.bad_names and each["name"] not in self.state:
                return 400, _google(400, "INVALID_ARGUMENT", f"{each['name']}={each.get('value')} refused")
        self.state = {each["name"]: each["value"] for each in app["env"] if "valueSource" not in each}
        self.pointing = {each["name"]: each["valueSource"] for each in app["env"] if "valueSource" in each}
        self.etag += 1
        return 200, {"name": "projects/shop-prod/locations/europe-west1/operations/op-1", "done": False}


def _google(code: int, status: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "status": status, "message": message}}


class Vercel(Provider):
    """Records, not names: one may serve several targets. `state` is what production gets."""

    def __init__(self) -> None:
        super().__init__()
        self.contract = load("vercel/openapi-2025-10.mock.json")
        self.records: list[dict[str, Any]] = []
        self.clock = 1

    @property
    def state(self) -> dict[str, str]:
        return {each["key"]: each["_value"] for each in self.records if "production" in each["target"]}

    @state.setter
    def state(self, values: dict[str, str]) -> None:
        self.records = []
        for name, value in values.items():
            self._add(name, value, "encrypted", ["production"])

    def _add(self, name: str, value: str, kind: str, target: list[str]) -> dict[str, Any]:
        self.clock += 1
        record = {"id": f"env{self.clock}", "key": name, "_value": value, "type": kind, "target": target,
                  "updatedAt": self.clock}  # fmt: skip
        self.records.append(record)
        return record

    @staticmethod
    def _shown(record: dict[str, Any]) -> dict[str, Any]:
        shown = {key: value for key, value in record.items() if key != "_value"}
        is_readable = record["type"] in ("plain", "encrypted")
        return {**shown, "value": record["_value"] if is_readable else "", "decrypted": is_readable}

    def expired(self) -> tuple[int, Any]:
        return 403, {"error": {"code": "forbidden", "message": "Not authorized", "invalidToken": True}}

    def answer(self, request: Request) -> tuple[int, Any]:
        if request.method == "GET":
            return 200, {"envs": [self._shown(each) for each in self.records]}
        if request.method == "POST":
            return self._create(request)
        record = next((each for each in self.records if each["id"] == request.path.rpartition("/")[2]), None)
        if record is None:
            return 404, {"error": {"code": "not_found", "message": "no such variable"}}
        if request.method == "DELETE":
            self.records.remove(record)
            return 200, self._shown(record)
        if "target" in request.body:
            record["target"] = request.body["target"]
        return 200, self._shown(record)

    def _create(self, request: Request) -> tuple[int, Any]:
        created, failed = [], []
        for each in request.body if isinstance(request.body, list) else [request.body]:
            if each["key"] in self.bad_names:
                message = f"{each['key']} may not be {each['value']}"
                failed.append({"error": {"code": "BAD_REQUEST", "message": message, "envVarKey": each["key"]}})
                continue
            same = [
                old for old in self.records if old["key"] == each["key"] and set(old["target"]) & set(each["target"])
            ]
            if any(set(old["target"]) != set(each["target"]) for old in same):
                message = "A variable of that name exists for some of the targets"
                error = {"code": "ENV_ALREADY_EXISTS", "message": message, "envVarKey": each["key"]}
                failed.append({"error": error})
                continue
            if same and request.query.get("upsert") == "true":
                self.clock += 1
                same[0].update(_value=each["value"], type=each["type"], updatedAt=self.clock)
                created.append(self._shown(same[0]))
            else:
                created.append(self._shown(self._add(each["key"], each["value"], each["type"], each["target"])))
        return 201, {"created": created, "failed": failed}


class Railway(Provider):
    """GraphQL: a fault is status 200 with errors."""

    prefix = "/graphql/v2"
    auth = "project-access-token"
    scheme = ""

    def __init__(self) -> None:
        super().__init__()
        self.contract = GraphQl()
        self.state |= {"RAILWAY_PROJECT_ID": "p1", "DATABASE_URL": "${{Postgres.DATABASE_URL}}"}
        self.deploys = 0

    def expired(self) -> tuple[int, Any]:
        return 200, {"errors": [{"message": "Not Authorized"}], "data": None}

    def answer(self, request: Request) -> tuple[int, Any]:
        name = self.contract.field(request)
        given = request.body["variables"]
        if name == "variables":
            return 200, {"data": {"variables": dict(self.state)}}
        asked = given["input"]
        if name == "variableDelete":
            self.state.pop(asked["name"], None)
            self.deploys += 1
            return 200, {"data": {"variableDelete": True}}
        for each, value in asked["variables"].items():
            if each in self.bad_names:
                return 200, {"errors": [{"message": f"{each}: {value} is invalid"}], "data": None}
        self.state = dict(asked["variables"]) if asked.get("replace") else {**self.state, **asked["variables"]}
        self.deploys += not asked.get("skipDeploys")
        return 200, {"data": {"variableCollectionUpsert": True}}


class GraphQl:
    """Railway's published schema as a judge."""

    _schema: graphql.GraphQLSchema | None = None

    def __init__(self) -> None:
        if GraphQl._schema is None:
            text = json.loads((CONTRACTS / "railway/graphql.introspection.json").read_text())
            GraphQl._schema = graphql.build_client_schema(text.get("data") or text, assume_valid=True)

    def check_request(self, request: Request) -> str:
        assert self._schema is not None
        if request.method != "POST" or not isinstance(request.body, dict) or set(request.body) - {"query", "variables"}:
            raise Refused("it is no GraphQL request")
        try:
            document = graphql.parse(request.body["query"])
        except (graphql.GraphQLSyntaxError, KeyError, TypeError) as error:
            raise Refused(str(error)) from error
        errors = graphql.validate(self._schema, document)
        if errors:
            raise Refused(errors[0].message)
        operation = document.definitions[0]
        assert isinstance(operation, graphql.OperationDefinitionNode)
        given = request.body.get("variables") or {}
        values = get_variable_values(self._schema, operation.variable_definitions or (), given)
        if isinstance(values, list):
            raise Refused(values[0].message)
        values_given = (given.get("input") or {}).get("variables") or {}
        if not all(isinstance(each, str) for each in values_given.values()):  # a scalar of its own to the schema
            raise Refused("a variable that is no text")
        extra = set(given) - {each.variable.name.value for each in operation.variable_definitions or ()}
        if extra:
            raise Refused(f"variables that the operation does not take: {extra}")
        return self.field(request)

    @staticmethod
    def field(request: Request) -> str:
        operation = graphql.parse(request.body["query"]).definitions[0]
        assert isinstance(operation, graphql.OperationDefinitionNode)
        first = operation.selection_set.selections[0]
        assert isinstance(first, graphql.FieldNode)
        return first.name.value

    def check_answer(self, request: Request, status: int, body: Any) -> None:
        pass


class Prefixed:
    """A contract whose paths carry the version that the base address holds."""

    def __init__(self, inner: Any, prefix: str) -> None:
        self._inner, self._prefix = inner, prefix

    def _moved(self, request: Request) -> Request:
        return Request(request.method, self._prefix + request.path, request.query, request.headers, request.body)

    def check_request(self, request: Request) -> str:
        return str(self._inner.check_request(self._moved(request)))

    def check_answer(self, request: Request, status: int, body: Any) -> None:
        self._inner.check_answer(self._moved(request), status, body)


class MergePatched:
    """Kubernetes: a patch is any object to its contract, so it is held against the Secret itself as well."""

    def __init__(self, inner: Any, same: Any) -> None:
        self._inner, self._same = inner, same

    def check_request(self, request: Request) -> str:
        found = self._inner.check_request(request)
        if request.method == "PATCH":
            whole = {
                name: "AA==" if value is None else value for name, value in (request.body.get("data") or {}).items()
            }
            body = {**request.body, **({"data": whole} if "data" in request.body else {})}
            headers = {**request.headers, "content-type": "application/json"}
            self._same.check_request(Request("PUT", request.path, {}, headers, body))
        return str(found)

    def check_answer(self, request: Request, status: int, body: Any) -> None:
        self._inner.check_answer(request, status, body)
