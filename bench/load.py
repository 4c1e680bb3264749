"""Five thousand requests a second through the proxy with everything on: what the agent takes, whether a line is lost.

    python -m bench.load [--rps 5000] [--seconds 60] [--write docs/benchmarks.md]

A small ASGI app (two processes of it) with monitors, two objectives, a status page and an open dashboard; the load
comes from `wrk` (Debian's package) with a pause between the requests of each connection. Proxy, app, load and agent
share this machine's processors, so the rate that was reached is part of the result. Afterwards three counts are
compared: what the clients were answered, the lines of the access log, and the agent's own figures.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil
from tests.journeys.world import World, make_world, wait_until

from bench.report import machine, put, table
from underway.terms.home import Home

APP = """\
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    body = b'{"status": "alive"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""
MANIFEST = """\
app = "busy"

[build.python]
manager = "uv"

[processes.web]
command = "uvicorn app:app --host 127.0.0.1 --port $PORT --no-access-log"
instances = 2

[health]
path = "/health"

[[slo]]
name = "availability"
objective = "99.9%"

[[slo]]
name = "quick"
route = "GET /api/*"
latency = "300ms"
objective = "99%"

[[monitor]]
name = "front page"
target = "http://busy.localhost:{port}/"
interval = "10s"
private = true

[[alerts.limits]]
name = "too slow"
of = "p99"
over = "2s"
"""
PROJECT = """\
[project]
name = "busy"
version = "1"
requires-python = ">=3.11"
dependencies = ["uvicorn[standard]"]
"""
CONNECTIONS = 200
SCRIPT = """\
local n = 0
local paths = {"/", "/api/letters", "/api/letters/7", "/assets/app.js"}
request = function()
  n = n + 1
  return wrk.format("GET", paths[n % 4 + 1], {["Host"] = "busy.localhost", ["User-Agent"] = "visitor/" .. n % 50})
end
delay = function() return math.max(0, PAUSE_MS - 2 + math.random(0, 4)) end
done = function(summary, latency)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  local p50, p99 = latency:percentile(50) / 1000, latency:percentile(99) / 1000
  local form = '{"answered": %d, "failed": %d, "p50_ms": %.1f, "p99_ms": %.1f}\\n'
  io.write(string.format(form, summary.requests, failed, p50, p99))
end
"""


def lay_out(world: World) -> Path:
    """The app's folder."""
    path = world.root / "apps" / "busy"
    path.mkdir(parents=True)
    (path / "app.py").write_text(APP)
    (path / "pyproject.toml").write_text(PROJECT)
    (path / "underway.toml").write_text(MANIFEST.format(port=world.port))
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "lock", "-q"], cwd=path, check=True, env=world.env)
    return path


def wrk(world: World, rps: float, seconds: float) -> tuple[int, int, str]:
    """Requests that were answered, those that were not, and what wrk says of the times."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        pause_ms = 1000 * CONNECTIONS / rps
        script.write(SCRIPT.replace("PAUSE_MS", f"{pause_ms:.1f}"))
        script.flush()
        words = [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds:g}s",
            "-s",
            script.name,
            f"http://127.0.0.1:{world.port}/",
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.strip().splitlines()[-1])
    return said["answered"], said["failed"], f"{said['p50_ms']:g} / {said['p99_ms']:g}"


def log_lines(world: World) -> int:
    """Lines of visitors in the access log, whatever part of it they are in."""
    count = 0
    for part in (world.home / "proxy").glob("access*.log"):
        with part.open() as file:
            count += sum('"agent":"visitor/' in line for line in file)
    return count


def ask_agent(world: World, path: str) -> dict[str, Any]:
    """One answer of the agent's API, on its own socket."""
    connection = http.client.HTTPConnection("agent", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(Home(root=world.home).agent_socket))
    try:
        connection.request("GET", path)
        return dict(json.loads(connection.getresponse().read()))
    finally:
        connection.close()


def counted(world: World) -> int:
    """What the agent's figures over time hold of the app."""
    whole = ask_agent(world, "/v1/apps/busy/figures?window_s=7200&steps=1")["whole"]
    return int(sum(whole["served"]) + sum(whole["failed"]) + sum(whole["gone"]))


def follow(world: World, url: str, is_over: threading.Event) -> None:
    """An open dashboard: the live connection of the app's page."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    body = urlencode({"code": parts.fragment})
    said = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{parts.netloc}"}
    connection.request("POST", "/enter", body, said)
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
    connection.request("GET", "/apps/busy/live", headers={"Cookie": cookie})
    stream = connection.getresponse()
    assert stream.status == 200, stream.status
    while not is_over.is_set():
        with contextlib.suppress(TimeoutError, OSError):
            stream.fp.readline() if stream.fp else None
    connection.close()


def measure(world: World, rps: float, seconds: float) -> list[tuple[str, str]]:
    """One run: the rows of the table."""
    done = world.deploy(lay_out(world), timeout=600)
    assert done["outcome"] == "live", done
    published = world.run("statuspage", "publish", "status.localhost", "--tls", "off")
    assert published.returncode == 0, published.stderr
    enter = json.loads(world.run("dashboard", "--json").stdout)["enter"]
    over = threading.Event()
    watching = threading.Thread(target=follow, args=(world, enter, over), daemon=True)
    watching.start()
    agent = psutil.Process(world.agent_pid())
    proxy = next(it for it in world.processes() if it.name() == "caddy")
    apps = [it for it in world.processes() if "uvicorn" in " ".join(it.cmdline()) and it.name() != "sh"]
    wrk(world, rps, 3)
    wait_until(lambda: counted(world) == log_lines(world), 60)
    counted_before, lines_before = counted(world), log_lines(world)
    before = {"agent": _cpu(agent), "proxy": _cpu(proxy), "app": sum(map(_cpu, apps))}
    times: list[float] = []
    asking = threading.Thread(target=_ask_on, args=(world, times, over), daemon=True)
    asking.start()
    began = time.monotonic()
    answered, failed, took = wrk(world, rps, seconds)
    passed_s = time.monotonic() - began
    used = {
        "agent": _cpu(agent) - before["agent"],
        "proxy": _cpu(proxy) - before["proxy"],
        "app": sum(map(_cpu, apps)) - before["app"],
    }
    rss_mb = agent.memory_info().rss / 1e6
    over.set()
    asking.join()
    wait_until(lambda: counted(world) - counted_before == log_lines(world) - lines_before, 60, default=lambda: True)
    lines, figures = log_lines(world) - lines_before, counted(world) - counted_before
    api_p99 = _p99(times)
    per_s = answered / passed_s
    share = used["agent"] / passed_s
    return [
        ("requests", f"{answered:,} in {passed_s:.0f} s: {per_s:,.0f}/s ({rps:,.0f}/s asked for), {failed} failed"),
        ("answers of the app: p50 / p99", f"{took} ms"),
        (
            "agent",
            f"{100 * share:.1f} % of a core, {1e6 * used['agent'] / max(lines, 1):.0f} µs a request, {rss_mb:.0f} MB",
        ),
        ("proxy, app", f"{100 * used['proxy'] / passed_s:.0f} %, {100 * used['app'] / passed_s:.0f} % of a core"),
        ("lines of the access log", f"{lines:,} (those on their way at the end among them)"),
        ("counted by the agent", f"{figures:,} ({max(0, lines - figures)} lost)"),
        (
            "the agent's API meanwhile",
            f"p50 {statistics.median(times):.0f} ms, p99 {api_p99:.0f} ms of {len(times):,} requests "
            "(state, figures of an hour, alerts, monitors)",
        ),
    ]


def fed(world: World, rps: float, seconds: float) -> list[tuple[str, str]]:
    """The agent alone: lines as the proxy wrote them are added to its log, so many a second, whatever the machine's
    processors could have served."""
    log = world.home / "proxy" / "access.log"
    sample = next(line for line in log.read_text().splitlines() if '"agent":"visitor/' in line)
    agent, times, over = psutil.Process(world.agent_pid()), list[float](), threading.Event()
    lines_before, counted_before, cpu_before = log_lines(world), counted(world), _cpu(agent)
    asking = threading.Thread(target=_ask_on, args=(world, times, over), daemon=True)
    asking.start()
    began = time.monotonic()
    words = [sys.executable, "-c", FEEDER, log, f"{rps:g}", f"{seconds:g}"]
    subprocess.run(words, input=sample, text=True, check=True)
    passed_s, used = time.monotonic() - began, _cpu(agent) - cpu_before
    over.set()
    asking.join()
    wait_until(lambda: counted(world) - counted_before == log_lines(world) - lines_before, 60, default=lambda: True)
    lines, figures = log_lines(world) - lines_before, counted(world) - counted_before
    times.sort()
    return [
        ("lines given to the log", f"{lines:,} in {passed_s:.0f} s: {lines / passed_s:,.0f}/s"),
        ("agent", f"{100 * used / passed_s:.1f} % of a core, {1e6 * used / max(lines, 1):.0f} µs a line"),
        ("counted by the agent", f"{figures:,} ({max(0, lines - figures)} lost)"),
        ("the agent's API meanwhile", f"p50 {statistics.median(times):.0f} ms, p99 {_p99(times):.0f} ms"),
    ]


FEEDER = """
import json, random, sys, time
log, rps, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
line, source = json.loads(sys.stdin.read()), random.Random(3)
def made():
    line["request"]["uri"] = source.choice(("/", "/api/letters", "/api/letters/7", "/assets/app.js"))
    line["bucket"], line["duration"] = f"{source.randrange(2000):04x}", source.lognormvariate(-5, 0.6)
    return json.dumps(line, separators=(",", ":"))
head, _, tail = zip(*(made().partition(repr(line["ts"])) for _ in range(2000)))
began, written = time.monotonic(), 0
with open(log, "ab", buffering=0) as file:
    while (passed := time.monotonic() - began) < seconds:
        more, now = int(passed * rps) - written, repr(time.time())
        lines = (f"{head[n % 2000]}{now}{tail[n % 2000]}\\n" for n in range(written, written + more))
        file.write("".join(lines).encode())
        written += more
        time.sleep(0.02)
"""


def _p99(times: list[float]) -> float:
    return sorted(times)[int(0.99 * (len(times) - 1))]


def _ask_on(world: World, times: list[float], over: threading.Event) -> None:
    paths = ("/v1/status", "/v1/apps/busy/figures?window_s=3600", "/v1/alerts", "/v1/apps/busy/monitors")
    number = 0
    while not over.is_set():
        began = time.perf_counter()
        _any(world, paths[number % len(paths)])
        times.append(1000 * (time.perf_counter() - began))
        number += 1
        over.wait(0.1)


def _any(world: World, path: str) -> None:
    connection = http.client.HTTPConnection("agent", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(Home(root=world.home).agent_socket))
    connection.request("GET", path)
    assert connection.getresponse().read()
    connection.close()


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rps", type=float, default=5_000.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--write", type=Path, metavar="FILE")
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not here: apt install wrk", file=sys.stderr)
        return 2
    on = machine()
    world = make_world()
    try:
        rows = measure(world, asked.rps, asked.seconds)
        alone = fed(world, asked.rps, asked.seconds)
    finally:
        world.close()
    text = table(("what", "found"), rows) + "\n\nThe agent alone, with as many lines as asked for:\n\n"
    text += table(("what", "found"), alone)
    print(on, text, sep="\n\n")
    put(asked.write, "load", "Thousands of requests a second", f"python -m bench.load --rps {asked.rps:g}", on, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
