"""What channels get: signed, in the form of their contract, once by its name, and never at a private address."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from underway.drivers.channels.channels import Telling, pagerduty_event, told
from underway.drivers.clock.system import SystemClock
from underway.manifest.monitor import AlertKeys, ChannelKeys
from underway.terms.alert import Alert, AlertStanding, Severity
from underway.terms.problem import Failure, Problem
from underway.terms.secret import Secret

CONTRACT = Path(__file__).parents[4] / "shared/contracts/pagerduty/events-v2.openapi.json"
KEY = "R0123456789ABCDEF0123456789ABCDE"
ALERT = Alert(
    app="shop",
    key="monitor app",
    id="shop-41",
    problem=Problem(
        code="app.down", where="shop", why="shop does not answer", remedy="read its log", command="underway logs shop"
    ),
    severity=Severity.CRITICAL,
    standing=AlertStanding.OPEN,
    since=1_700_000_000.0,
    raised_at=1_700_000_020.0,
    release="06fh",
    users_touched=41,
    step="Roll back first.",
    runbook="https://wiki.example.com/shop",
)


class Receiver(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Inbox)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 202


class Inbox(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        if self.server.status == 307:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def send(channel: ChannelKeys, what: str = "raised", *alerts: Alert) -> None:
    values = {"KEY": Secret(KEY), "URL": Secret(channel.url)}
    asyncio.run(Telling(SystemClock()).send("m-1", what, alerts or [ALERT], channel, values))


def test_a_webhook_is_signed_and_named(receiver: Receiver) -> None:
    url = f"http://127.0.0.1:{receiver.server_port}/hook?team=a"
    send(ChannelKeys(name="team", url=url, key="${KEY}", private=True))
    [(path, headers, body)] = receiver.got
    assert path == "/hook?team=a"
    signed = ".".join((headers["webhook-id"], headers["webhook-timestamp"], body.decode())).encode()
    mac = base64.b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode()
    assert (headers["webhook-id"], headers["webhook-signature"]) == ("m-1", f"v1,{mac}")
    said = json.loads(body)
    assert said["type"] == "alert.raised"
    [alert] = said["alerts"]
    assert (alert["id"], alert["what"], alert["since"], alert["users_touched"], alert["release"]) == (
        "shop-41",
        "shop does not answer",
        1_700_000_000.0,
        41,
        "06fh",
    )
    assert (alert["what_to_do"], alert["command"]) == ("read its log", "underway logs shop")
    assert (alert["step"], alert["runbook"]) == ("Roll back first.", "https://wiki.example.com/shop")


def test_pagerduty_gets_a_trigger_and_a_resolve_of_one_dedup_key(receiver: Receiver) -> None:
    url = f"http://127.0.0.1:{receiver.server_port}"
    channel = ChannelKeys(name="pager", kind="pagerduty", url=url, key="${KEY}", private=True)
    send(channel)
    send(channel, "cleared")
    events = [json.loads(body) for _, _, body in receiver.got]
    assert {path for path, _, _ in receiver.got} == {"/v2/enqueue"}
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert {event["dedup_key"] for event in events} == {"shop-41"}
    assert {event["routing_key"] for event in events} == {KEY}
    assert events[0]["payload"]["custom_details"]["runbook step"] == "Roll back first."
    assert events[0]["links"] == [{"href": "https://wiki.example.com/shop", "text": "Runbook"}]


@pytest.mark.skipif(not CONTRACT.exists(), reason="PagerDuty's contract is not beside the project")
@pytest.mark.parametrize("what", ["raised", "cleared"])
@pytest.mark.parametrize("severity", list(Severity))
def test_pagerduty_events_fit_the_contract(what: str, severity: Severity) -> None:
    import jsonschema
    import msgspec

    document = json.loads(CONTRACT.read_text())
    found = document["paths"]["/enqueue"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = {**found, "components": document["components"]}
    event = json.loads(pagerduty_event(msgspec.structs.replace(ALERT, severity=severity), what, KEY))
    jsonschema.validate(event, schema)
    assert len(event["dedup_key"]) <= 255


def test_private_addresses_are_refused_unless_allowed(receiver: Receiver) -> None:
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        for kind in ("webhook", "pagerduty"):
            url = f"http://{host}:{receiver.server_port}/hook"
            with pytest.raises(Failure) as failure:
                send(ChannelKeys(name="team", kind=kind, url=url, key="${KEY}"))
            assert failure.value.problem.code == "channel.private"
    for url in (
        "json://127.0.0.1:{}/",
        "gotifys://localhost:{}/token",
        "mailto://a:b@x.example?smtp=127.0.0.1&port={}",
    ):
        with pytest.raises(Failure) as failure:
            send(ChannelKeys(name="team", kind="apprise", url=url.format(receiver.server_port)))
        assert failure.value.problem.code == "channel.private", url
    assert receiver.got == []


def test_a_redirect_of_a_webhook_is_not_followed(receiver: Receiver) -> None:
    receiver.status = 307
    with pytest.raises(Failure) as failure:
        send(ChannelKeys(name="team", url=f"http://127.0.0.1:{receiver.server_port}/hook", private=True))
    assert failure.value.problem.code == "channel.refused"
    assert [path for path, _, _ in receiver.got] == ["/hook"]


def test_what_is_not_taken_is_told_without_the_secret(receiver: Receiver) -> None:
    receiver.status = 500
    channel = ChannelKeys(name="team", url=f"http://127.0.0.1:{receiver.server_port}/{KEY}", private=True)
    with pytest.raises(Failure) as failure:
        send(channel)
    assert failure.value.problem.code == "channel.refused"
    assert KEY not in str(failure.value)
    with pytest.raises(Failure) as failure:
        send(ChannelKeys(name="team", url="${NOBODY}"))
    assert failure.value.problem.code == "channel.no-value"


def test_apprise_delivers_in_a_process_of_its_own(receiver: Receiver) -> None:
    url = f"json://127.0.0.1:{receiver.server_port}/notify"
    send(ChannelKeys(name="chat", kind="apprise", url=url, private=True))
    [(_, _, body)] = receiver.got
    said = json.loads(body)
    assert "shop" in said["title"]
    assert "shop does not answer" in said["message"]
    with pytest.raises(Failure) as failure:
        send(ChannelKeys(name="chat", kind="apprise", url="nothing://at-all", private=True))
    assert failure.value.problem.code == "channel.refused"


def test_a_message_says_what_since_when_whom_and_what_to_do() -> None:
    text = told("raised", [ALERT])
    for part in (
        "critical: shop: shop does not answer",
        "since 2023-11-14 22:13:20 UTC",
        "users touched: 41",
        "release: 06fh",
        "what to do: read its log",
        "runbook: Roll back first.",
        "read on: https://wiki.example.com/shop",
        "run: underway logs shop",
    ):
        assert part in text
    assert AlertKeys().channels == ()
