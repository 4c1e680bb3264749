"""The dashboard for others: over HTTPS through the proxy, with accounts; and the approval of a second person."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import urllib.parse

import pytest
from tests.journeys import bad
from tests.journeys.world import make_world, wait_until

from .conftest import Asker, deployed, way_in
from .test_locks import PASSWORD, log_in, with_account

HOST = "ops.example.test"


@pytest.fixture(scope="module")
def world():
    world = make_world()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        world.https_port = probe.getsockname()[1]
    world.env["UNDERWAY_HTTPS_PORT"] = str(world.https_port)
    deployed(world, VERSION="1")
    yield world
    world.close()


class Outside(Asker):
    """Somebody who reaches the proxy by the dashboard's name, over HTTPS."""

    def __init__(self, port):
        super().__init__(f"https://{HOST}:{port}")
        self._port = port

    def ask(self, path, *, method="GET", form=None, body=None, headers=None):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the proxy's own authority
        raw = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        connection = http.client.HTTPSConnection(HOST, self._port)
        connection.sock = context.wrap_socket(raw, server_hostname=HOST)
        said = {"Accept": "text/html", "Origin": self.url}
        if self.cookies:
            said["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if form is not None:
            method, body = "POST", urllib.parse.urlencode(form)
            said["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, said | (headers or {}))
        response = connection.getresponse()
        response.text = response.read().decode()
        if cookie := response.getheader("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        return response


def test_it_is_exposed_over_https_for_accounts_alone(world):
    refused = world.run("dashboard", "expose", HOST, "--tls", "internal", "--yes")
    assert refused.returncode == 3
    assert "access.nobody" in refused.stderr
    totp = with_account(world, "ana", "viewer")
    done = world.run("dashboard", "expose", HOST, "--tls", "internal", "--yes")
    assert done.returncode == 0, done.stderr
    outside = Outside(world.https_port)

    def answered():
        try:
            return outside.ask("/enter")
        except OSError:  # its certificate is being made
            return None

    entry = wait_until(answered, 60)
    assert entry.status == 200
    assert 'action="/log-in"' in entry.text
    assert 'id="enter-code"' not in entry.text
    assert "max-age" in entry.getheader("Strict-Transport-Security")
    plain = world.ask("/", app="x", headers={"Host": HOST})
    assert (plain.status, plain.headers["Location"].startswith("https://")) == (308, True)
    assert outside.ask("/enter", form={"code": way_in(world)["enter"].partition("#")[2]}).status == 403
    entered = log_in(outside, "ana", PASSWORD, totp.now())
    assert entered.status == 303, entered.text
    cookie = entered.getheader("Set-Cookie")
    assert cookie.startswith("__Host-underway_session=")
    assert "Secure" in cookie
    assert outside.ask("/apps/plain").status == 200
    local = Asker(way_in(world)["url"])
    local.ask("/enter", form={"code": way_in(world)["enter"].partition("#")[2]})
    outside.cookies["__Host-underway_session"] = local.cookies["underway_session"]
    assert outside.ask("/apps/plain").status == 303, "a session of the machine is good on the machine alone"
    assert world.run("dashboard", "hide").returncode == 0
    with pytest.raises((OSError, AssertionError)):
        assert outside.ask("/enter").status == 200


def test_who_began_a_deploy_cannot_approve_it(world):
    path = bad.patient(bad.plain(world, VERSION="approved"))
    keys = 'strategy = "blue-green"\napprove = {second_person = true}'
    manifest = path / "underway.toml"
    manifest.write_text(manifest.read_text().replace('strategy = "blue-green"', keys))
    deployer = Asker(way_in(world)["url"])
    deploys, approves = with_account(world, "the-deployer", "deployer"), with_account(world, "the-approver", "approver")
    assert log_in(deployer, "the-deployer", PASSWORD, deploys.now()).status == 303
    approver = Asker(deployer.url)
    assert log_in(approver, "the-approver", PASSWORD, approves.now()).status == 303
    done = {}
    thread = threading.Thread(target=lambda: done.update(world.deploy(path)))
    thread.start()
    wait_until(lambda: ((world.status("plain")["act"] or {}).get("rollout") or {}).get("paused"), 60)
    for words in ((), ("--as", "the-approver")):
        refused = world.run("release", "advance", "plain", *words)
        assert refused.returncode == 3
        assert "release.own-approval" in refused.stderr
    advance = "/apps/plain/orders/advance"
    assert deployer.ask(advance, form={"form_key": deployer.form_key()}).status == 403
    assert world.status("plain")["act"]
    given = approver.ask(advance, form={"form_key": approver.form_key(advance), "because": "I looked"})
    assert given.status == 303, given.text
    thread.join(120)
    assert done["outcome"] == "live", done
    assert any(e["event"] == "ordered" and e["by"] == "the-approver" for e in done["events"])
