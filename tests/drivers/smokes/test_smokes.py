"""Smoke requests and journeys against a small server that signs people in."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

import pytest

from underway.drivers.smokes.loopback import LoopbackSmokes
from underway.manifest.model import Manifest
from underway.manifest.read import read_manifest
from underway.ports.smokes import Dial
from underway.terms.problem import Refusal
from underway.terms.secret import Secret
from underway.terms.smoke import Walked

PASSWORD = "hunter2-päss&word"
SESSION = "s3ss10n-0123456789"
TOKEN = 'tok"en/with&signs-4711'


class Shop(BaseHTTPRequestHandler):
    seen: list[tuple[str, dict[str, str], str]] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        type(self).seen.append((f"{self.command} {self.path}", dict(self.headers.items()), body))
        match self.command, self.path.split("?")[0]:
            case "GET" | "HEAD", "/login":
                self._send(200, '<form><input type="hidden" name="csrf" value="c5rf-value"></form>', cookie="seen=1")
            case "POST", "/login":
                form = parse_qs(body)
                is_right = form.get("password") == [PASSWORD] and form.get("csrf") == ["c5rf-value"]
                cookie = f"session={SESSION}; Path=/; HttpOnly"
                self._send(302 if is_right else 403, f"tried {body}", cookie=cookie if is_right else "", to="/me")
            case "GET", "/me":
                is_known = f"session={SESSION}" in (self.headers.get("Cookie") or "")
                self._send(
                    200 if is_known else 401, json.dumps({"user": {"id": 7, "token": TOKEN}, "items": [{"n": 1}]})
                )
            case "POST", "/orders":
                is_known = self.headers.get("Authorization", "").endswith(TOKEN)
                self._send(201 if is_known and json.loads(body)["token"] == TOKEN else 403, body)
            case "GET", "/echo":
                self._send(500, f"secret {PASSWORD} and {json.dumps(PASSWORD)}\x1b[31m red")
            case _:
                self._send(404, "nothing here")

    do_GET = do_POST = do_HEAD = _answer

    def _send(self, status: int, text: str, cookie: str = "", to: str = "") -> None:
        self.send_response(status)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        if to:
            self.send_header("Location", to)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode() if self.command != "HEAD" else b"")

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def written(text: str) -> Manifest:
    return read_manifest(f'app = "shop"\n[env]\nPROBE_PASSWORD = {{secret = true}}\n{text}')


def walk(port: int, text: str, password: str = PASSWORD) -> Walked:
    manifest = written(text)
    at = Dial(port=port, host="shop.localhost", headers={"X-Underway-Release": "r1"})
    values = {"PROBE_PASSWORD": Secret(password)}
    smokes = LoopbackSmokes()
    Shop.seen.clear()
    if manifest.smokes:
        return asyncio.run(smokes.ask(manifest.smokes[0], at, values))
    return asyncio.run(smokes.walk(manifest.journeys[0], at, values))


SIGN_IN = """
[[journey]]
name = "sign in and order"
[[journey.steps]]
path = "/login"
keep = {csrf = "input:csrf"}
[[journey.steps]]
method = "POST"
path = "/login"
form = {csrf = "${csrf}", password = "${env.PROBE_PASSWORD}"}
expect = {status = "302", headers = {Location = "/me"}}
[[journey.steps]]
path = "/me?x=${unique}"
keep = {token = "json:user.token"}
expect = {has = ["items[0].n"], json = {"user.id" = 7}}
[[journey.steps]]
method = "POST"
path = "/orders"
headers = {Authorization = "Bearer ${token}"}
json = {token = "${token}", at = [1, 2.5, true]}
expect = "201"
"""


def test_a_journey_carries_cookies_and_what_it_kept(port: int) -> None:
    walked = walk(port, SIGN_IN)
    assert walked.passed, walked.says()
    assert [each.status for each in walked.asked] == [200, 302, 200, 201]
    assert all(headers["X-Underway-Release"] == "r1" for _, headers, _ in Shop.seen)
    assert all(
        headers["X-Underway-Probe"] == "1" and headers["Host"] == "shop.localhost" for _, headers, _ in Shop.seen
    )
    assert "seen=1" in Shop.seen[-1][1]["Cookie"]
    assert json.loads(Shop.seen[-1][2]) == {"token": TOKEN, "at": [1, 2.5, True]}


def test_a_journey_ends_at_the_step_that_fails_and_says_what_came(port: int) -> None:
    walked = walk(port, SIGN_IN, password="wrong-word")
    assert not walked.passed
    assert len(walked.asked) == 2
    failed = walked.failure
    assert failed is not None
    assert failed.came == "status 403, not 302"
    assert walked.says().startswith("sign in and order: step 2, POST /login: status 403, not 302 (")


def test_no_secret_is_in_what_is_told(port: int) -> None:
    told = [walk(port, SIGN_IN), walk(port, SIGN_IN, "wrong-word"), walk(port, '[[smoke]]\npath = "/echo"')]
    for walked in told:
        text = repr(walked) + walked.says()
        for secret in (PASSWORD, SESSION, TOKEN, "c5rf-value", "wrong-word", json.dumps(PASSWORD)[1:-1]):
            assert secret not in text
    assert told[2].asked[0].body_head == 'secret ••• and "•••" red'


@pytest.mark.parametrize(
    ("expect", "came"),
    [
        ('expect = "404"', "status 200, not 404"),
        ('expect = {text = ["input", "Welcome"]}', 'the text "Welcome" is not in the body'),
        ('expect = {lacks = ["hidden"]}', 'the text "hidden" is in the body'),
        ("expect = {json = {a = 1}}", "the body is not JSON"),
        ('expect = {headers = {Location = "/"}}', "there is no header Location"),
        ('expect = {headers = {Set-Cookie = "other"}}', 'the header Set-Cookie is "•••"'),
    ],
)
def test_what_is_not_as_expected_is_named(port: int, expect: str, came: str) -> None:
    walked = walk(port, f'[[smoke]]\nname = "sign-in page"\npath = "/login"\n{expect}')
    got = walked.asked[0].came
    assert got == came or (came.endswith('"•••"') and got.startswith("the header Set-Cookie"))
    assert walked.asked[0].status == 200


@pytest.mark.parametrize(
    ("expect", "came"),
    [
        ('json = {"user.id" = 8}', "user.id is 7, not 8"),
        ('json = {"user.id" = "7"}', 'user.id is 7, not "7"'),
        ('json = {"items[0].n" = true}', "items[0].n is 1, not true"),
        ('has = ["items[1]"]', "there is no items[1]"),
        ('has = ["user.id.x"]', "there is no user.id.x"),
    ],
)
def test_places_in_json_are_compared_with_their_type(port: int, expect: str, came: str) -> None:
    smoke = f'[[smoke]]\npath = "/me"\nheaders = {{Cookie = "session={SESSION}"}}\nexpect = {{{expect}}}'
    assert walk(port, smoke).asked[0].came == came


def test_nobody_answers(port: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
        walked = walk(closed, '[[smoke]]\npath = "/"')
    assert walked.asked[0].status == 0
    assert walked.asked[0].came == "no answer: connection refused"


def test_head_and_a_variable_without_a_value(port: int) -> None:
    assert walk(port, '[[smoke]]\nmethod = "HEAD"\npath = "/login"').passed
    walked = walk(port, '[[smoke]]\npath = "/?a=${env.OTHER}"')
    assert walked.asked[0].came == "not asked: ${env.OTHER} has no value"
    assert Shop.seen == []


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ('[[smoke]]\npath = "x"', "smoke[0].path", "does not begin with one /"),
        ('[[smoke]]\npath = "/${a b}"', "smoke[0].path", "a character that a path may not have"),
        ('[[smoke]]\npath = "/"\nheaders = {Host = "x"}', "smoke[0].headers.Host", "is set for every request"),
        ('[[smoke]]\npath = "/"\nheaders = {X-Underway-Release = "x"}', "smoke[0].headers", "Underway's own"),
        ('[[smoke]]\npath = "/"\nheaders = {A = "x\\r\\nB: c"}', "smoke[0].headers.A", "control character"),
        ('[[smoke]]\npath = "/"\nbody = "x"', "smoke[0].body", "a GET request carries no body"),
        ('[[smoke]]\nmethod = "POST"\npath = "/"\nbody = "x"\njson = {a = 1}', "smoke[0].json", "one body"),
        ('[[smoke]]\nmethod = "POST"\npath = "/"\njson = {a = 2024-01-01}', "smoke[0].json", "no dates"),
        ('[[smoke]]\nmethod = "POST"\npath = "/"\njson = {a = nan}', "smoke[0].json", "no such number"),
        ('[[smoke]]\npath = "/"\nmethod = "BREW"', "smoke[0].method", "none of its words"),
        ('[smoke]\npath = "/"', "smoke", "no list of tables"),
        ("[[smoke]]\n", "smoke[0]", "path is missing"),
        ('[[journey]]\nname = "a"', "journey[0].steps", "has no steps"),
        ('[[journey]]\nname = "a"\n[[journey.steps]]\npath = "/${t}"', "journey[0].steps[0].path", "no earlier step"),
        (
            '[[journey]]\nname = "a"\n[[journey.steps]]\npath = "/"\nkeep = {T = "json:a"}',
            "journey[0].steps[0].keep.T",
            "no name to keep",
        ),
        (
            '[[journey]]\nname = "a"\n[[journey.steps]]\npath = "/"\nkeep = {t = "regex:(a+)+"}',
            "journey[0].steps[0].keep.t",
            "where a value stands",
        ),
        ('[[smoke]]\npath = "/"\nexpect = {json = {"a b" = 1}}', "expect.json", "no place in JSON"),
        (
            '[[smoke]]\npath = "/"\n\n\n[[smoke]]\npath = "/"\n[smoke.expect]\nstatus = "x"',
            "underway.toml:11",
            "no statuses",
        ),
    ],
)
def test_wrong_smokes_are_refused_where_they_stand(text: str, where: str, why: str) -> None:
    with pytest.raises(Refusal) as refused:
        written(text)
    problem = refused.value.problems[0]
    assert where in problem.where
    assert why in problem.why
