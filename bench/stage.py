"""A home in which the example app is kept up with everything on: monitors, objectives, a signed webhook, visitors."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.journeys.world import World

from bench.inbox import Inbox
from bench.visitors import Visitors
from underway.cli.demo_play import find_example

KEY = "a-key-of-this-bench-alone-0123456789"
LIVE_FAULTS = Path(__file__).with_name("fault_app") / "live_faults.py"
MANIFEST = """\
app = "{app}"

[env]
FAULTS = "{faults}"
SECRET_KEY = {{generate = "urlsafe"}}

[alerts]
{heartbeat}runbook = "https://wiki.example.com/{app}"

[[alerts.steps]]
of = "errors.burst"
do = "Look at the payment provider's page first, then roll back."

[[alerts.channels]]
name = "inbox"
url = "http://127.0.0.1:{inbox}/hook"
key = "${{ALERT_KEY}}"
severity = "note"
private = true

[[slo]]
name = "availability"
objective = "99.5%"

[[slo]]
name = "quick"
objective = "95%"
latency = "2s"

[[monitor]]
name = "front page"
target = "http://{app}.localhost:{port}/"
interval = "10s"
private = true
[monitor.expect]
status = "200"
text = ["Meadow"]

[[monitor]]
name = "mail"
kind = "tcp"
target = "127.0.0.1:{inbox}"
interval = "10s"
private = true

[[monitor]]
name = "name"
kind = "dns"
target = "localhost"
interval = "10s"
private = true

[[monitor]]
name = "room"
kind = "command"
target = "test -d /tmp"
interval = "10s"

[[monitor]]
name = "shop"
target = "https://localhost:{tls}/"
interval = "10s"
certificate_days = 14
private = true

[[monitor]]
name = "nightly"
kind = "ping"
interval = "20s"
grace = "10s"
"""


class Stage:
    """`world` is the home, `inbox` what was told. `app` is live after `deploy`; `schedule` pings every ten seconds
    while it is set."""

    def __init__(self, world: World, app: str = "meadow", heartbeat: str = "") -> None:
        self.world, self.app = world, app
        self.heartbeat = heartbeat
        self.inbox = Inbox(KEY)
        self.shop = Shop(world.root)
        self.world.env["SSL_CERT_FILE"] = str(self.shop.authorities)
        self.ping_url = ""
        self.schedule = threading.Event()
        self.schedule.set()
        self._is_over = threading.Event()
        self._pinging = threading.Thread(target=self._ping)

    def deploy(self, app: str = "", note: str = "one", more: str = "", *, urgently: bool = False) -> dict[str, Any]:
        """The example with its faults in a file, as it is written with `note`."""
        app = app or self.app
        path = self.world.root / "apps" / app
        if not path.exists():
            ignored = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", "tests", "releases")
            shutil.copytree(find_example(), path, ignore=ignored)
            shutil.copy(LIVE_FAULTS, path / "app" / "live_faults.py")
            with (path / "app" / "main.py").open("a") as main:
                main.write("\nfrom app.live_faults import LiveFaults  # noqa: E402\n\napp.add_middleware(LiveFaults)\n")
            self.say_faults(app)
        beat = f'heartbeat = "{self.heartbeat}"\nheartbeat_every = "10s"\nheartbeat_private = true\n'
        text = MANIFEST.format(
            app=app,
            faults=self._faults(app),
            inbox=self.inbox.port,
            port=self.world.port,
            tls=self.shop.port,
            heartbeat=beat if self.heartbeat else "",
        )
        (path / "underway.toml").write_text(text + more)
        (path / "app" / "note.txt").write_text(note)
        done = self.world.run("env", "set", f"ALERT_KEY={KEY}", "--path", path, "--force")
        assert done.returncode == 0, done.stderr
        deployed = self.world.deploy(path, *(("--strategy", "instant") if urgently else ()), timeout=900)
        assert deployed["outcome"] == "live", deployed
        if not self.ping_url:
            self.expose_pings()
            self._pinging.start()
        return deployed

    def say_faults(self, app: str = "", **faults: object) -> None:
        """From the next request on."""
        path = self._faults(app or self.app)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(faults))
        fresh.chmod(0o644)
        fresh.replace(path)

    def pids(self, app: str = "") -> list[psutil.Process]:
        """The app's own processes."""
        found = []
        for process in self.world.processes():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("UNDERWAY_APP") == (app or self.app) and "DATABASE_URL" in process.environ():
                    found.append(process)
        return found

    def postgres(self) -> list[psutil.Process]:
        return [it for it in self.world.processes() if _name(it) == "postgres"]

    @contextlib.contextmanager
    def visited(self, rps: float, app: str = "") -> Iterator[Visitors]:
        """Visitors of the app meanwhile, in a thread of their own."""
        visitors = Visitors(self.world.port, f"{app or self.app}.localhost", rps, people=60, seed=7)
        is_over, is_on = threading.Event(), threading.Event()

        async def visit() -> None:
            async with visitors:
                is_on.set()
                while not is_over.is_set():
                    await asyncio.sleep(0.2)

        thread = threading.Thread(target=lambda: asyncio.run(visit()))
        thread.start()
        try:
            assert is_on.wait(60), "nobody came"
            yield visitors
        finally:
            is_over.set()
            thread.join()

    def expose_pings(self) -> str:
        """Let schedules ping through the proxy; the address of this one."""
        exposed = self.world.run("monitors", "expose", "pings.localhost", "--tls", "off")
        assert exposed.returncode == 0, exposed.stderr
        shown = json.loads(self.world.run("monitors", "--json").stdout)
        self.ping_url = next(it["ping_url"] for it in shown if it["name"] == "nightly")
        return self.ping_url

    def ping(self) -> None:
        """Tell that the schedule ran, as a machine elsewhere would."""
        path = urlsplit(self.ping_url).path
        connection = http.client.HTTPConnection("127.0.0.1", self.world.port, timeout=10)
        connection.request("GET", path, headers={"Host": "pings.localhost"})
        assert connection.getresponse().status == 200
        connection.close()

    def close(self) -> None:
        self._is_over.set()
        if self._pinging.is_alive():
            self._pinging.join()
        for process in self.postgres():
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
        self.world.close()
        self.shop.close()
        self.inbox.close()

    def _ping(self) -> None:
        while not self._is_over.wait(10.0):
            if self.schedule.is_set():
                with contextlib.suppress(OSError, AssertionError):
                    self.ping()

    def _faults(self, app: str) -> Path:
        return self.world.root / f"{app}-faults.json"


class Shop:
    """A web server of somebody else over HTTPS, whose certificate ends when it is told to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca_key = ec.generate_private_key(ec.SECP256R1())
        self._ca = _certificate("Bench CA", self._ca_key, "Bench CA", self._ca_key, timedelta(days=365), is_ca=True)
        self.authorities = folder / "authorities.pem"
        known = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or ""
        others = Path(known).read_bytes() if known and Path(known).exists() else b""
        self.authorities.write_bytes(others + b"\n" + self._ca.public_bytes(serialization.Encoding.PEM))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show_certificate(timedelta(days=90))
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def show_certificate(self, left: timedelta) -> None:
        """From the next connection on."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate("localhost", key, "Bench CA", self._ca_key, left)
        pem = self._folder / "shop.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        self._context.load_cert_chain(pem)

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(plain,), daemon=True).start()

    def _answer(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError):
            plain.settimeout(10)
            with self._context.wrap_socket(plain, server_side=True) as secure:
                secure.recv(65_536)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    left: timedelta,
    *,
    is_ca: bool = False,
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + left)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name.replace(" ", "-"))]), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return process.name()
    return ""


def agent_cpu_s(world: World) -> float:
    """Processor time of the home's agent so far, seconds."""
    used = psutil.Process(world.agent_pid()).cpu_times()
    return float(used.user + used.system)


def now_words() -> str:
    return time.strftime("%H:%M:%S")
