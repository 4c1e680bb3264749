"""Every endpoint of the API is asked what its description allows, and much that it does not, of a real agent: it never
fails by itself, and answers as the description says."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from datetime import timedelta

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.journeys.world import make_world

from underway.agent.api import openapi_document
from underway.terms.home import Home

from .conftest import deployed

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
NOT_ASKED = {
    "POST /v1/stop": "ends the agent",
    "POST /v1/statuspage/export": "writes into any folder",
    "POST /v1/dashboard/exposure": "lets the proxy ask for certificates",
}
QUICK, LONG = 4, 150


@pytest.fixture(scope="module")
def world():
    world = make_world()
    deployed(world, VERSION="1")
    yield world
    world.close()


class OverSocket(http.client.HTTPConnection):
    """HTTP over the agent's unix socket."""

    def __init__(self, path):
        super().__init__("agent", timeout=60)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


def ask(world, case, number):
    """Send a case; every second one is of the app that is there. Streams without end and real folders are left out."""
    names = {name: str(value) for name, value in (case.path_parameters or {}).items()}
    if "app" in names and number % 2:
        names["app"] = "plain"
    path = case.path
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", urllib.parse.quote(value, safe="") or "%20")
    query = {name: value for name, value in (case.query or {}).items() if name != "follow"}
    if query:
        path += "?" + urllib.parse.urlencode(query, doseq=True)
    headers, body = {}, None
    if case.operation.body:
        headers["Content-Type"] = "application/json"
        given = case.body
        if isinstance(given, dict) and isinstance(given.get("path"), str):
            given = {**given, "path": f"/nowhere/{given['path'].replace(chr(0), '')}"}
        body = b"" if "NotSet" in type(given).__name__ else json.dumps(given).encode(errors="replace")
    connection = OverSocket(Home(root=world.home).agent_socket)
    try:
        connection.request(case.method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read(4_000_000), path
    finally:
        connection.close()


def operations():
    schema = schemathesis.openapi.from_dict(openapi_document())
    for found in schema.get_all_operations():
        operation = found.ok()
        if f"{operation.method.upper()} {operation.path}" not in NOT_ASKED:
            yield operation


@pytest.mark.parametrize("examples", [QUICK, pytest.param(LONG, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_the_api_answers_as_it_says_whatever_it_is_asked(world, examples):
    asked, statuses, wrong = 0, set(), []
    for operation in operations():

        @hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def fuzz(case):
            nonlocal asked
            asked += 1
            status, headers, text, path = ask(world, case, asked)
            statuses.add(status)
            request = httpx.Request(case.method, f"http://agent{path}")
            response = httpx.Response(status, headers=headers, content=text, request=request)
            response.elapsed = timedelta(0)
            case.validate_response(response, checks=CHECKS)

        try:
            fuzz()
        except (Failure, FailureGroup) as failed:
            said = [str(each) for each in getattr(failed, "exceptions", (failed,))]
            wrong.append(f"{operation.method.upper()} {operation.path}: {' '.join(said)[:600]}")
    print(f"{asked} requests, answers {sorted(statuses)}")
    assert wrong == []
    assert asked >= 40 * min(examples, 3)
    assert {200, 400, 404} <= statuses
