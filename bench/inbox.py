"""A webhook's receiver for benches: keeps what came, when, and whether it was signed with the channel's key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Letter:
    """One alert of a message: when it came, `raised` or `cleared`, what it said, and the message's name."""

    at: float
    what: str
    alert: dict[str, Any]
    message: str
    is_signed: bool


class Inbox:
    """Listens on a free port of loopback until `close`."""

    def __init__(self, key: str) -> None:
        self.letters: list[Letter] = []
        self._key = key
        self._came = threading.Condition()
        inbox = self

        class Receive(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.take(dict(self.headers.items()), body)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Receive)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """Keep one message."""
        heard = {name.lower(): value for name, value in headers.items()}
        text = b".".join((heard["webhook-id"].encode(), heard["webhook-timestamp"].encode(), body))
        mac = base64.b64encode(hmac.new(self._key.encode(), text, hashlib.sha256).digest()).decode()
        is_signed = hmac.compare_digest(heard.get("webhook-signature", ""), f"v1,{mac}")
        said = json.loads(body)
        what = said["type"].removeprefix("alert.")
        with self._came:
            for alert in said["alerts"]:
                self.letters.append(Letter(time.time(), what, alert, heard["webhook-id"], is_signed))
            self._came.notify_all()

    def wait(self, app: str, key: str, what: str, since: float, seconds: float) -> Letter | None:
        """The first letter of this matter (keys that begin with `key`) that came after `since`."""

        def found() -> Letter | None:
            return next(
                (
                    it
                    for it in list(self.letters)
                    if it.at >= since and it.what == what and it.alert["app"] == app and it.alert["key"].startswith(key)
                ),
                None,
            )

        with self._came:
            self._came.wait_for(lambda: found() is not None, seconds)
        return found()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
