"""An app that is kept up, as those who look after it meet it: its health, its metrics in a real Prometheus, and an
error budget that holds up a release."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import psutil
import pytest
import yaml

from underway.manifest.windows import DAYS
from underway.terms.home import Home

from . import bad
from .world import APPS, make_world, wait_until

MANIFEST = """
[services]
redis = true

[[slo]]
name = "pages"
objective = "99%"
window = "7d"
least = 20

[budget]
requests = 50
hours = 1000
cost = 10

[budget.prices]
month = 6

[[keep_awake]]
name = "far"
target = "http://127.0.0.1:PORT/"
private = true
every = "1s"
sleeps_after = "2s"
allowance = "5s"

[[keep_awake]]
name = "closed"
target = "http://127.0.0.1:PORT/closed"
private = true
allowance = "750h"
hours = ["DAY"]
"""


class Sleepy(BaseHTTPRequestHandler):
    """A server elsewhere that takes its time when nobody has asked for a while."""

    asked: ClassVar[list[tuple[float, str]]] = []

    def do_GET(self):
        last = self.asked[-1][0] if self.asked else 0.0
        self.asked.append((time.monotonic(), self.path))
        if time.monotonic() - last > 2.0:
            time.sleep(0.4)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def kept():
    """A home in which `plain` is live with a Redis server and a promise, and has answered and failed."""
    world = make_world()
    far = ThreadingHTTPServer(("127.0.0.1", 0), Sleepy)
    threading.Thread(target=far.serve_forever, daemon=True).start()
    other_day = DAYS[(datetime.now(UTC).weekday() + 3) % 7]
    manifest = MANIFEST.replace("PORT", str(far.server_port)).replace("DAY", other_day)
    server = (APPS / "plain" / "server.py").read_text()
    grow = 'elif self.path == "/grow"'
    failing = server.replace(grow, f'elif self.path == "/fail":\n            status = 500\n        {grow}')
    assert failing != server
    path = bad.plain(world, manifest, MODE="good", VERSION="1", server_dot_py=failing)
    done = world.deploy(path, timeout=300)
    assert done["outcome"] == "live", done
    world.path, world.release = path, done["release"]
    yield world
    world.close()
    far.shutdown()
    far.server_close()


def told(world, *words) -> dict:
    done = world.run(*words, "--json")
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def redis_of(world) -> psutil.Process:
    """The app's Redis server, by the port that it listens on."""
    port = json.loads((world.home / "services" / "redis" / "plain" / "cache.json").read_text())["port"]
    open_ones = psutil.net_connections("tcp4")
    return psutil.Process(next(it.pid for it in open_ones if it.status == psutil.CONN_LISTEN and it.laddr.port == port))


def checks_of(world) -> int:
    """How often the app's monitors asked today and yesterday."""
    found = told(world, "monitors", "--app", "plain")
    return sum(day["checks"] for it in found for day in it["days"])


def over_socket(world, path: str) -> tuple[int, str, bytes]:
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(60)
        wire.connect(str(Home(root=world.home).agent_socket))
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        return answer.status, answer.headers["content-type"], answer.read()


PATH = "/v1/apps/plain/health"


def deep(world) -> dict:
    return json.loads(over_socket(world, f"{PATH}/deep")[2])


def is_well(world) -> bool:
    """The disk is this machine's own, and may be as full as it is."""
    checks = deep(world)["checks"]
    well = {name for name, (one,) in checks.items() if one["status"] == "pass"}
    return set(checks) == {"app", "cache", "disk"} and well >= {"app", "cache"}


def test_the_agent_tells_the_health_of_an_app_that_does_not(kept):
    wait_until(lambda: is_well(kept), 60)
    status, kind, text = over_socket(kept, PATH)
    assert (status, kind, json.loads(text)["releaseId"]) == (200, "application/health+json", kept.release)
    done = kept.run("health")
    assert done.returncode == 0
    assert "cache  well" in done.stdout

    before, began = checks_of(kept), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda _: over_socket(kept, f"{PATH}/deep")[0], range(200)))
    assert answers == [200] * 200
    usual = 2 * ((time.monotonic() - began) / 10 + 2)
    assert checks_of(kept) - before <= usual, "200 probes asked nothing that was not asked anyway"


@pytest.mark.slow
def test_a_cache_that_hangs_is_told(kept):
    wait_until(lambda: is_well(kept), 60)
    redis = redis_of(kept)
    redis.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: over_socket(kept, f"{PATH}/deep")[0] == 503, 90)
        found = deep(kept)["checks"]["cache"][0]
        assert (found["status"], found["output"]) == ("fail", "no answer within 5 s")
        assert over_socket(kept, PATH)[0] == 200, "it is alive"
        done = kept.run("health", "plain")
        assert done.returncode == 1
        assert "cache" in done.stdout
        assert "no answer within 5 s" in done.stdout
    finally:
        redis.send_signal(signal.SIGCONT)
    wait_until(lambda: over_socket(kept, f"{PATH}/deep")[0] == 200, 90)


def asked(port: int, path: str, query: str = "") -> dict:
    words = f"?{urllib.parse.urlencode({'query': query})}" if query else ""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}{words}", timeout=30) as answer:
        return json.load(answer)["data"]


def test_a_real_prometheus_scrapes_the_agent_and_answers_what_was_recorded(kept, tmp_path):
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not on PATH (apt-get install prometheus)")
    status, kind, text = over_socket(kept, "/metrics")
    assert (status, kind) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert text.endswith(b"# EOF\n")
    assert kept.run("metrics").stdout.encode()[:100] == text[:100]

    token = kept.run("access", "token", "prometheus", "--scope", "read").stdout.split()[0]
    (tmp_path / "token").write_text(token)
    settings = told(kept, "metrics", "scrape", "--token-file", tmp_path / "token")
    here = f"http://{settings['scrape_configs'][0]['static_configs'][0]['targets'][0]}"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{here}/metrics", timeout=30)
    rules = yaml.safe_load(kept.run("metrics", "rules", "plain").stdout)
    for group in rules["groups"]:
        group["interval"] = "1s"  # so that the test need not wait
    settings["scrape_configs"][0]["scrape_interval"] = settings["scrape_configs"][0]["scrape_timeout"] = "1s"
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({**settings, "rule_files": ["rules.yml"]}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [program, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*words, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        windows = [rule["record"] for group in rules["groups"] for rule in group["rules"] if "record" in rule]
        series = f'{windows[0]}{{app="plain",slo="pages"}}'

        def ratio() -> float:
            assert kept.ask(app="plain").status == 200
            assert kept.ask("/fail", app="plain").status == 500
            try:
                found = asked(port, "/api/v1/query", series)["result"]
            except OSError:
                return 0.0
            return float(found[0]["value"][1]) if found else 0.0

        def is_half() -> bool:
            return 0.3 < ratio() < 0.7

        wait_until(is_half, 90)
        up = asked(port, "/api/v1/query", 'up{job="underway"}')["result"]
        assert [it["value"][1] for it in up] == ["1"]
        found = asked(port, "/api/v1/query", 'sum by (outcome) (underway_http_requests_total{app="plain"})')["result"]
        counts = {it["metric"]["outcome"]: float(it["value"][1]) for it in found}
        assert counts["good"] > 0
        assert counts["failed"] > 0
        groups = asked(port, "/api/v1/rules")["groups"]
        bad_ones = [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]
        assert bad_ones == []
        assert len(groups) == 2
    finally:
        process.terminate()
        process.wait(60)
    errors = [line for line in (tmp_path / "log").read_text().splitlines() if "level=error" in line]
    assert errors == []


def test_a_release_of_an_app_whose_budget_is_spent_needs_a_reason(kept):
    for _ in range(40):
        assert kept.ask("/fail", app="plain").status == 500

    def spent() -> bool:
        it = told(kept, "slo", "plain")[0]
        return it["spent"] is not None and it["spent"] >= 1 and it["bad"] >= it["least"]

    wait_until(spent, 60)
    kept.write(kept.path, VERSION="2")
    refused = kept.deploy(kept.path)
    assert (refused["outcome"], refused["exit_code"]) == ("refused", 3)
    (problem,) = refused["problems"]
    assert problem["code"] == "slo.budget-spent"
    assert problem["where"] == "plain pages"
    assert "requests in 7 days were not good; the error budget is spent, and 99 % were promised" in problem["why"]
    assert problem["command"] == 'underway deploy --spend-budget "REASON"'
    assert kept.ask(app="plain").text.startswith("1 "), "nothing was changed"

    assert kept.deploy(kept.path, "--spend-budget", "  ")["outcome"] == "refused"
    reason = "mends what fails: <b>no</b> more 500"
    plan = kept.run("deploy", kept.path, "--spend-budget", reason, "--dry-run")
    assert f"It is released all the same: {reason}" in plan.stdout.replace("\n", " ").replace("  ", " ")
    done = kept.deploy(kept.path, "--spend-budget", reason)
    assert done["outcome"] == "live"
    (event,) = [it for it in kept.events("plain") if it["event"] == "budget_overdrawn"]
    assert (event["because"], event["release"]) == (reason, done["release"])
    assert "the error budget pages is spent" in event["says"]
    newest, first = told(kept, "releases", "plain")
    assert (newest["overdrawn"], first["overdrawn"]) == (reason, "")
    assert "released though the error budget was spent: mends what fails" in kept.run("releases", "plain").stdout

    page = look(kept, f"/apps/plain/releases/{done['release']}")
    assert "mends what fails: &lt;b&gt;no&lt;/b&gt; more 500" in page
    assert "Released though the error budget was spent" in page
    assert "Error budget spent: mends what fails" in look(kept, "/apps/plain/releases")

    back = json.loads(kept.run("rollback", "plain", "--json").stdout.splitlines()[-1])
    assert back["outcome"] == "live", "a way back needs no reason"


def test_what_is_kept_warm_stays_in_its_hours_and_its_allowance(kept):
    def warm() -> dict[str, dict]:
        return {it["name"]: it for it in told(kept, "budgets", "plain")[0]["warm"]}

    wait_until(lambda: "used up" in warm()["far"]["says"], 60)
    far, closed = warm()["far"], warm()["closed"]
    assert 2 <= far["pings"] <= 4, "the first is worth two seconds, each further one at least one"
    assert far["used_s"] <= 5.0
    assert [path for _, path in Sleepy.asked] == ["/"] * far["pings"]
    assert far["failed"] == 0
    assert far["cold"] >= 1
    assert far["cold_p50_ms"] > 390
    assert (closed["pings"], closed["used_s"]) == (0, 0.0)
    assert closed["says"] == "it may sleep: outside its hours"


def test_a_budget_of_the_month_is_shown_and_told_at_its_marks(kept):
    for _ in range(25):
        kept.ask(app="plain")

    def alerts() -> dict[str, dict]:
        return {it["key"]: it for it in told(kept, "alerts")}

    wait_until(lambda: {"spending requests 50", "spending cost 50", "spending awake far 50"} <= set(alerts()), 90)
    alert = alerts()["spending requests 50"]
    assert (alert["severity"], alert["problem"]["code"]) == ("note", "budget.used")
    assert alert["problem"]["why"].startswith("50 % of the budget requests of plain: ")
    found = {it["name"]: it for it in told(kept, "budgets", "plain")[0]["budgets"]}
    assert found["requests"]["used"] >= 25
    assert found["cost"]["used"] == 6.0
    wait_until(lambda: {it["name"]: it for it in told(kept, "budgets")[0]["budgets"]}["hours"]["used"] > 0, 60)
    assert "of 50 requests are used" in kept.run("budgets", "plain").stdout
    assert "of 50 requests are used" in look(kept, "/apps/plain")


def look(world, path: str) -> str:
    """A page of the dashboard, as who was let in sees it."""
    enter = json.loads(world.run("dashboard", "--json").stdout)["enter"]
    base, _, code = enter.partition("/enter#")
    body = urllib.parse.urlencode({"code": code}).encode()
    headers = {"Origin": base, "Content-Type": "application/x-www-form-urlencoded"}
    where = urllib.parse.urlsplit(base).netloc
    connection = http.client.HTTPConnection(where, timeout=60)
    connection.request("POST", "/enter", body, headers)
    answer = connection.getresponse()
    cookie = answer.headers["set-cookie"].partition(";")[0]
    answer.read()
    connection.request("GET", path, headers={"Cookie": cookie})
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 200, text
    connection.close()
    return text
