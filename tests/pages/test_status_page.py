"""What visitors are told, and that it stays there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import threading
import xml.etree.ElementTree as ElementTree
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import msgspec
import pytest
from tests.journeys.world import wait_until

from underway.flows.incidents import follow_monitors
from underway.journal.events.releases import ReleaseMade
from underway.journal.journal import Journal
from underway.pages.public import DAYS, render
from underway.terms.alert import Alert, AlertStanding, Severity
from underway.terms.incident import Impact, Incident, IncidentStage, IncidentUpdate
from underway.terms.monitor import Day, MonitorKind, MonitorState, MonitorStatus
from underway.terms.problem import Problem
from underway.terms.release import Release, Source

from .conftest import NASTY

DAY_S = 86_400.0
NOW = 20_000 * DAY_S + 50_000


def visited(world, path="/"):
    return world.ask(path, app="underway-status")


def test_an_incident_is_published_told_more_of_and_stays_up_without_the_app_and_the_agent(world, page):
    done = world.run("statuspage", "publish", "underway-status.localhost", "--tls", "off", "--title", "Meadow")
    assert done.returncode == 0, done.stderr
    assert "Everything works" in visited(world).text
    page.goto(f"{page.site}/apps/plain/incidents")
    page.get_by_label("What visitors notice").fill(f"Checkout is slow {NASTY}")
    page.get_by_label("What else they should know").fill("We look at it.")
    page.get_by_role("button", name="Tell visitors").click()
    page.get_by_role("heading", name="Checkout is slow").wait_for()
    assert page.evaluate("window.owned") is None
    wait_until(lambda: "Checkout is slow" in visited(world).text, 60)
    text = visited(world).text
    assert "Something is disturbed" in text
    assert "<script>window" not in text
    page.goto(f"http://underway-status.localhost:{world.port}/")
    page.get_by_text("We look at it.").wait_for()
    assert page.evaluate("window.owned") is None
    page.goto(f"{page.site}/apps/plain/incidents")
    page.get_by_label("What visitors should know").fill("It was a slow query.")
    page.get_by_label("Stage").select_option("resolved")
    page.get_by_role("button", name="Tell", exact=True).click()
    page.get_by_text("It was a slow query.").wait_for()
    wait_until(lambda: "It was a slow query." in visited(world).text, 60)

    def stages():
        feed = ElementTree.fromstring(visited(world, "/feed.xml").text)
        return [item.findtext("title").rpartition("(")[2] for item in feed.iter("item")]

    wait_until(lambda: stages() == ["resolved)", "investigating)"], 60)  # a file of its own, put there a moment later
    wait_until(lambda: json.loads(visited(world, "/status.json").text)["state"] == "good", 60)
    os.kill(world.agent_pid(), signal.SIGKILL)
    assert "It was a slow query." in visited(world).text
    assert world.run("statuspage", "unpublish").returncode == 0
    assert visited(world).status == 404


class Receiver(ThreadingHTTPServer):
    """A program that is told of incidents."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Inbox)
        self.got = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def said(self, kind):
        return [said for _, said in self.got if said["type"] == kind]


class Inbox(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(
            ({name.lower(): value for name, value in self.headers.items()} | {"": body}, json.loads(body))
        )
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def posted(world, path, **fields):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return world.ask(path, app="underway-status", method="POST", body=urlencode(fields), headers=headers)


def test_a_webhook_is_told_of_incidents_once_its_receiver_has_confirmed(world):
    publish = ("statuspage", "publish", "underway-status.localhost", "--tls", "off", "--title", "Meadow")
    receiver = Receiver()
    url = f"http://127.0.0.1:{receiver.server_port}/hook"
    try:
        assert world.run(*publish).returncode == 0
        assert posted(world, "/subscriptions", url=url).status == 400, "private addresses are refused unless allowed"
        for bad_url in ("file:///etc/passwd", "http://", "nonsense", "http://a b/"):
            assert posted(world, "/subscriptions", url=bad_url).status == 400
        assert receiver.got == []
        assert world.run(*publish, "--private-subscribers").returncode == 0
        assert "Subscribe" in visited(world).text
        answers = [posted(world, "/subscriptions", url=url).status for _ in range(3)]
        assert set(answers) <= {202, 429}
        ((headers, asked),) = receiver.got
        assert asked["type"] == "subscription.asked", "one message, however often somebody asks for it"
        signed = ".".join((headers["webhook-id"], headers["webhook-timestamp"], headers[""].decode())).encode()
        key = base64.b64decode(asked["secret"].removeprefix("whsec_"))
        mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{mac}"
        opened = world.run("statuspage", "open", "plain", "Search is slow", "--json")
        incident = json.loads(opened.stdout)["id"]
        assert posted(world, "/subscriptions/confirm", id=asked["id"], token="guess").status == 403
        assert posted(world, "/subscriptions/confirm", id=asked["id"], token=asked["token"]).status == 200
        update = ("statuspage", "update", "plain", incident, "--stage")
        assert world.run(*update, "identified", "--text", "A slow query.").returncode == 0
        wait_until(lambda: receiver.said("incident.told") or None, 60)
        assert [it["text"] for it in receiver.said("incident.told")] == ["A slow query."], "nothing from before"
        assert world.run(*update, "resolved").returncode == 0
        wait_until(lambda: receiver.said("incident.resolved") or None, 60)
        assert json.loads(world.run("statuspage", "show", "--json").stdout)["subscribers"] == 1
        assert posted(world, "/subscriptions/end", id=asked["id"], token=asked["token"]).status == 200
        names = [headers["webhook-id"] for headers, _ in receiver.got]
        assert len(names) == len(set(names)) == 3
        assert 429 in [posted(world, "/subscriptions", url=f"{url}?{number}").status for number in range(10)]
    finally:
        receiver.shutdown()
        receiver.server_close()


def test_it_is_exported_as_plain_files(world, tmp_path):
    folder = tmp_path / "public"
    assert world.run("statuspage", "export", folder, "--title", "Meadow").returncode == 0
    assert {it.name for it in folder.iterdir()} == {"index.html", "feed.xml", "status.json", "style.css", "mark.svg"}
    assert "<h1>Meadow</h1>" in (folder / "index.html").read_text()
    page = (folder / "index.html").read_text()
    assert "<script" not in page
    assert "<form" not in page, "there is nobody who would take it"
    links = re.findall(r'(?:href|src|action)="([^"]+)"', page)
    assert links
    assert all("://" not in link and (folder / link.partition("#")[0]).is_file() for link in links), links
    assert "form-action 'none'" in page
    refused = world.run("statuspage", "export", "/proc/nowhere")
    assert refused.returncode == 3
    assert "statuspage.folder" in refused.stderr


def test_it_stays_up_when_the_app_is_down(world):
    publish = ("statuspage", "publish", "underway-status.localhost", "--tls", "off", "--title", "Meadow")
    assert world.run(*publish).returncode == 0
    assert world.run("down", "plain", "--yes").returncode == 0
    assert world.ask("/", app="plain").status == 404

    def said():
        answer = visited(world)
        return answer if "Something is down" in answer.text else None

    assert wait_until(said, 60).status == 200
    assert json.loads(visited(world, "/status.json").text)["components"][0]["state"] == "bad"


class Lines:
    """An event log in memory."""

    def __init__(self):
        self.lines = []

    def read(self, after=0, app="", act="", limit=0):
        return iter(())

    def append(self, texts):
        from underway.ports.event_log import Line

        first = len(self.lines) + 1
        made = [Line(seq=first + n, at=NOW, app=app, act=act, text=text) for n, (app, act, text) in enumerate(texts)]
        self.lines += made
        return made


@pytest.fixture
def journal():
    journal = Journal(Lines())
    release = Release(id="6agbtrbnb7", app="shop", created_at=NOW, source=Source(path="/x", digest="d"), build_key="k")
    journal.states()["shop"] = journal.state("shop")
    journal.state("shop").releases[release.id] = _made(release)
    journal.state("shop").live = release.id
    return journal


def _made(release):
    from underway.journal.app_state import ReleaseState

    return ReleaseState(release=release, manifest=ReleaseMade(app="shop", release=release, manifest="").manifest)


def alert(key):
    problem = Problem(code="monitor.down", where="shop", why="it is down", remedy="look")
    return Alert(
        app="shop",
        key=key,
        id="1",
        problem=problem,
        severity=Severity.CRITICAL,
        standing=AlertStanding.OPEN,
        since=NOW,
        raised_at=NOW,
    )


def test_a_monitors_alert_opens_an_incident_once_and_its_end_ends_it(journal):
    assert follow_monitors("shop", [alert("monitor front"), alert("errors")], "i1", journal)
    assert not follow_monitors("shop", [alert("monitor front")], "i2", journal)
    (incident,) = journal.state("shop").incidents.values()
    assert (incident.impact, incident.alert, incident.ended_at) == (Impact.DOWN, "monitor front", 0.0)
    assert follow_monitors("shop", [], "i3", journal)
    (incident,) = journal.state("shop").incidents.values()
    assert incident.stage is IncidentStage.RESOLVED
    assert not follow_monitors("shop", [], "i4", journal)


def test_a_page_of_several_apps_says_what_is_worst_of_them(journal):
    shop = journal.state("shop")
    blog = msgspec.structs.replace(shop, app="blog", incidents={})
    blog.incidents["i"] = Incident(id="i", app="blog", title="Slow", impact=Impact.DEGRADED, opened_at=NOW - 60)
    files = render("Meadow", "https://s", [(shop, []), (blog, [])], NOW)
    said = json.loads(files["status.json"])
    assert [(it["name"], it["state"]) for it in said["components"]] == [("shop", "good"), ("blog", "warn")]
    assert said["state"] == "warn"
    assert "Something is disturbed" in files["index.html"].decode()


def test_bars_and_uptime_say_what_checks_and_incidents_said(journal):
    state = journal.state("shop")
    days = tuple(
        Day(at=NOW - back * DAY_S, checks=n, failed=f) for back, n, f in ((2, 1000, 50), (1, 1000, 1), (0, 500, 0))
    )
    monitor = MonitorStatus(
        app="shop", name="front", kind=MonitorKind.HTTP, target="/", state=MonitorState.UP, since=0.0, days=days
    )
    page = render("Shop", "https://s", [(state, [monitor])], NOW)["index.html"].decode()
    bars = [part.partition('"')[0] for part in page.split('<rect class="')[1:]]
    assert len(bars) == DAYS
    assert bars[-3:] == ["bad", "warn", "good"]
    assert "98.0 %" in page or "98 %" in page
    assert "Everything works" in page
    state.incidents["i"] = Incident(
        id="i",
        app="shop",
        title="Down",
        impact=Impact.DOWN,
        opened_at=NOW - 3600,
        updates=(IncidentUpdate(at=NOW - 3600, stage=IncidentStage.IDENTIFIED, text="mail", by="ana"),),
    )
    page = render("Shop", "https://s", [(state, [])], NOW)["index.html"].decode()
    assert "Something is down" in page
    assert "ana" not in page, "who wrote it is not told outside"
