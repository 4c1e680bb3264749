"""A stateful stand-in for a provider, on loopback, which checks every request and answer against the contract."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.drivers.places.contract import Refused, Request

TOKEN = "tok-4f1c-" + "canary-9d27b6"


@dataclass
class Fault:
    """An answer out of turn. `times` counts down; `fits` chooses the requests; `hang_s` keeps silent before it."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    times: int = 1
    hang_s: float = 0.0
    fits: Callable[[Request], bool] = lambda request: True


class Provider:
    """What every stand-in has: state, a judge, faults to come, and what it saw."""

    contract: Any = None
    """`check_request`, `check_answer`."""
    prefix = ""
    auth = "authorization"
    scheme = "Bearer "

    def __init__(self) -> None:
        self.state: dict[str, str] = {}
        self.seen: list[Request] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.bad_names: set[str] = set()
        self.token: str | None = TOKEN
        """None: whoever asks is known by a certificate."""
        self.lock = threading.Lock()

    def answer(self, request: Request) -> tuple[int, Any]:
        raise NotImplementedError

    def expired(self) -> tuple[int, Any]:
        return 401, {"message": f"invalid token {TOKEN}"}

    def respond(self, request: Request) -> tuple[int, dict[str, str], Any]:
        """What the server sends."""
        with self.lock:
            self.seen.append(request)
            try:
                self.contract.check_request(request)
            except Refused as refused:
                self.violations.append(f"{request.method} {request.path}: {refused}")
                return 400, {}, {"message": "refused by the contract"}
            fault = next((each for each in self.faults if each.times > 0 and each.fits(request)), None)
            if fault is not None:
                fault.times -= 1
        if fault is not None:
            if fault.hang_s:
                time.sleep(fault.hang_s)
            return fault.status, fault.headers, fault.body
        if self.token is not None and request.headers.get(self.auth) != f"{self.scheme}{self.token}":
            status, body = self.expired()
            return status, {}, body
        with self.lock:
            status, body = self.answer(request)
        try:
            self.contract.check_answer(request, status, body)
        except Refused as refused:
            self.violations.append(f"stand-in: {request.method} {request.path}: {refused}")
        return status, {}, body


@contextmanager
def serving(provider: Provider, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The provider on a free port of loopback, over TLS where a context is given; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(size)
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(
                self.command,
                parts.path.removeprefix(provider.prefix),
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers,
                json.loads(raw) if raw else None,
            )
            try:
                status, more, body = provider.respond(request)
            except Exception as error:
                provider.violations.append(f"stand-in: {request.method} {request.path}: {error!r}")
                status, more, body = 500, {}, None
            content = b"" if body is None else json.dumps(body).encode()
            try:
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                pass  # who asked went away: a time-out is what is tried

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _take

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}{provider.prefix}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
