"""A web app without a single dependency. What it does wrong is chosen by the word in MODE."""

import itertools
import os
import random
import signal
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODE = Path("MODE").read_text().strip()
VERSION = Path("VERSION").read_text().strip()
COUNT = itertools.count()
HELD = []
IS_BAD = threading.Event()
PORT = int(os.environ["PORT"])


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            self.answer()
        except LookupError:
            traceback.print_exc()
            self.send_error(500)

    def answer(self):
        status, more = 200, {}
        if MODE == "currency" and self.path == "/" and random.random() < 0.5:
            more["X-Price"] = {}["currency"]
        if MODE == "slower":
            time.sleep(0.2)
        if self.path == "/health":
            if MODE == "redirects":
                status, more = 302, {"Location": "/health/"}
            if MODE == "unhealthy":
                status = 503
            if MODE == "silent":
                time.sleep(30)
        elif self.path == "/grow":
            HELD.append(b"x" * 150_000_000)
        elif self.path == "/turn-bad":
            IS_BAD.set()
        elif (MODE == "half" or IS_BAD.is_set()) and next(COUNT) % 2:
            status = 500
        body = f"{VERSION} {os.environ['UNDERWAY_RELEASE']}".encode()
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


if MODE == "hostile":
    sys.stdout.write("\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m \u202egnp.exe\r\n" + "x" * 1_000_000 + "\n")
    sys.stdout.buffer.write(b"\xff\xfe\x00 not text\n")
    sys.exit("\x1b[1;1Hthe last word\x9b31m")
if MODE == "dies":
    sys.exit("no setting KEY was found")
if MODE == "dies-later":
    threading.Timer(1.0, lambda: (print("it was fun", flush=True), os._exit(7))).start()
if MODE.startswith("wrong-port"):
    PORT = int(MODE.split()[1])
if MODE == "deaf":
    signal.pause()
Server(("0.0.0.0" if MODE == "everywhere" else "127.0.0.1", PORT), Answers).serve_forever()
