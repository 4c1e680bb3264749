"""The agent dies: a dead-man check elsewhere hears no heartbeat, and the next agent tells how long nobody watched."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import psutil
import pytest

from . import bad
from .world import wait_until

MORE = """
[[monitor]]
name = "nightly"
kind = "ping"
interval = "1h"

[alerts]
runbook = "https://wiki.example.com/plain"
heartbeat = "http://127.0.0.1:{port}/beat"
heartbeat_every = "5s"
heartbeat_private = true

[[alerts.steps]]
of = "agent.away"
do = "Call Ana, she knows this machine."

[[alerts.channels]]
name = "inbox"
url = "http://127.0.0.1:{port}/hook"
key = "${{ALERT_KEY}}"
severity = "note"
private = true
"""


class Outside(ThreadingHTTPServer):
    """Somebody else's server: hears heartbeats and messages."""

    def __init__(self):
        self.beats, self.alerts, self.signatures = [], [], []
        outside = self

        class Hear(BaseHTTPRequestHandler):
            def do_GET(self):
                outside.beats.append(time.time())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self):
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outside.alerts += [(said["type"], alert) for alert in said["alerts"]]
                outside.signatures.append(self.headers["webhook-signature"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Hear)
        Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def outside():
    server = Outside()
    yield server
    server.shutdown()
    server.server_close()


def asked(world, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=30)
    try:
        connection.request(method, path, headers={"Host": "pings.localhost"})
        return connection.getresponse().status
    finally:
        connection.close()


def environs(world):
    """The environment of every process of the home."""
    for process in world.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            yield process.environ()


@pytest.mark.timeout(300)
def test_a_schedule_pings_from_outside_and_a_dead_agent_is_told_of(world, outside):
    path = bad.patient(bad.plain(world, MORE.format(port=outside.server_port)))
    kept = world.run("env", "set", "ALERT_KEY=Gs7dPq2vXw9LmT4kRb8Zc3", "--path", path)
    assert kept.returncode == 0, kept.stderr
    done = world.deploy(path)
    assert done["outcome"] == "live", done

    of_app = [it for it in environs(world) if it.get("UNDERWAY_APP") == "plain"]
    assert of_app
    assert not any("ALERT_KEY" in it for it in of_app), "a channel's key is the agent's alone"
    shown = world.run("env", "show", "ALERT_KEY", "--reveal", "--path", path)
    assert "Gs7dPq2vXw9LmT4kRb8Zc3" in shown.stdout, shown.stderr

    exposed = world.run("monitors", "expose", "pings.localhost", "--tls", "off")
    assert exposed.returncode == 0, exposed.stderr

    def monitors():
        return {it["name"]: it for it in json.loads(world.run("monitors", "--json").stdout)}

    shown = wait_until(lambda: found if "ping_url" in (found := monitors()).get("nightly", {}) else None, 60)
    path = "/ping/" + shown["nightly"]["ping_url"].rpartition("/ping/")[2]
    assert shown["nightly"]["ping_url"] == f"http://pings.localhost:{world.port}{path}"
    assert shown["nightly"]["last_at"] == 0
    assert [asked(world, path[:-1] + "x"), asked(world, "/ping/"), asked(world, path, "DELETE")] == [404, 404, 404]
    assert asked(world, "/") == 421, "nothing else is answered under this name"
    assert [asked(world, path), asked(world, path, "POST")] == [200, 200]
    heard = {it["name"]: it for it in json.loads(world.run("monitors", "--json").stdout)}["nightly"]
    assert heard["last_at"] > 0
    assert heard["state"] == "up"

    wait_until(lambda: outside.beats, 60)
    killed_at = time.time()
    os.kill(world.agent_pid(), signal.SIGKILL)
    wait_until(lambda: json.loads(world.run("agent", "status", "--json").stdout)["is_running"] is False, 30)
    assert world.ask(app="plain").status == 200, "the app does not notice"
    assert asked(world, path) == 502
    assert world.run("agent", "start").returncode == 0
    started_at = time.time()
    what, alert = wait_until(lambda: next((it for it in outside.alerts if it[1]["code"] == "agent.away"), None), 60)
    assert (what, alert["key"], alert["release"]) == ("alert.raised", "agent", done["release"])
    assert killed_at - 30 < alert["since"] < started_at
    assert "was away from" in alert["what"]
    assert all(each.startswith("v1,") for each in outside.signatures)
    assert (alert["step"], alert["runbook"]) == ("Call Ana, she knows this machine.", "https://wiki.example.com/plain")
    wait_until(lambda: outside.beats[-1] > started_at, 60)
    wait_until(lambda: asked(world, path) == 200, 30)

    assert world.run("agent", "stop").returncode == 0
    before = len(outside.beats)
    assert world.run("agent", "start").returncode == 0
    wait_until(lambda: len(outside.beats) > before, 60)
    raised = [it for it in world.events("plain") if it["event"] == "alert_raised" and it["key"] == "agent"]
    assert len(raised) == 1, "an agent that was stopped by order was not away"
