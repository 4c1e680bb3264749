"""A real PostgreSQL (a database of its own on the server of DATABASE_URL) and the real server on a free port."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN_S = 20
SECRET = secrets.token_urlsafe(48)


@dataclass
class Server:
    """A running copy of the app."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@dataclass
class Family:
    """A logged-in parent's browser."""

    http: httpx.Client
    csrf: str = ""
    email: str = field(default_factory=lambda: f"{secrets.token_hex(6)}@example.org")
    password: str = "sunflower-9"

    def write(self, method: str, path: str, body: object = None) -> httpx.Response:
        return self.http.request(method, path, json=body, headers={"x-csrf-token": self.csrf})

    def register(self) -> "Family":
        answer = self.http.post("/api/register", json={"email": self.email, "password": self.password})
        assert answer.status_code == 201, answer.text
        self.csrf = answer.json()["csrf"]
        return self

    def add_child(self, name: str = "Mia", avatar: str = "fox") -> str:
        answer = self.write("POST", "/api/children", {"name": name, "avatar": avatar})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def play(self, child: str, is_right: bool = True) -> dict:
        question = self.http.get("/api/game/next", params={"child": child}).json()
        right = question["word"][0].upper()
        choice = right if is_right else next(one for one in question["choices"] if one != right)
        body = {"child": child, "question": question["question"], "choice": choice}
        answer = self.write("POST", "/api/game/answer", body)
        assert answer.status_code == 200, answer.text
        return {**answer.json(), "asked": body}


def environment(database_url: str, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "DATABASE_URL": database_url, "SECRET_KEY": SECRET, "CHEER_EVERY_S": "0.2", **more}


def migrate(database_url: str, root: Path = ROOT, revision: str = "head") -> None:
    command = [sys.executable, "-m", "alembic", "upgrade" if revision == "head" else "downgrade", revision]
    done = subprocess.run(command, cwd=root, env=environment(database_url), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def serve(database_url: str, log: Path, root: Path = ROOT, **env: str) -> Iterator[Server]:
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)],
            cwd=root,
            env=environment(database_url, **env),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for_port(port, process, log)
            yield Server(f"http://127.0.0.1:{port}", process, log)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up_at:
        assert process.poll() is None, log.read_text()
        with socket.socket() as one:
            one.settimeout(0.2)
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.03)
    raise AssertionError(f"not ready within {READY_WITHIN_S} s:\n{log.read_text()}")


def until(is_so: Callable[[], bool], within_s: float = 10) -> None:
    """Waits for a condition, and fails when it does not come."""
    give_up_at = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.03)


@pytest.fixture(scope="session")
def server_url() -> str:
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        pytest.skip("DATABASE_URL is not set: name a PostgreSQL on which databases may be created")
    scheme, _, rest = url.partition("://")
    return scheme.split("+")[0] + "://" + rest


def sql(url: str, statement: str) -> list[asyncpg.Record]:
    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    name = f"meadow_test_{secrets.token_hex(5)}"
    sql(server_url, f"create database {name}")
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        sql(server_url, f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    with new_database(server_url) as url:
        migrate(url)
        yield url


@pytest.fixture(scope="session")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(database_url, tmp_path_factory.mktemp("server") / "log", UNDERWAY_RELEASE="r-test") as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


@pytest.fixture
def family(http: httpx.Client) -> Family:
    return Family(http).register()
