"""The server as a whole: start, health, page, live streams, shutdown."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import websockets
from conftest import ROOT, Family, Server, migrate, new_database, serve, sql, until

from app.release import RELEASE_NOTE, VERSION


def start_with(**env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", "1"]
    kept = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, cwd=ROOT, env=kept | env, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(
    "secret",
    [
        None,
        "",
        "tiny",
        "changeme-changeme-changeme-changeme-changeme",
        "a" * 64,
        "secret-secret-secret-secret-secret-123",
    ],
)
def test_without_a_strong_secret_it_does_not_start(secret: str | None) -> None:
    env = {"DATABASE_URL": "postgresql://localhost/x"} | ({} if secret is None else {"SECRET_KEY": secret})
    done = start_with(**env)
    assert done.returncode == 78
    assert "SECRET_KEY" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 500
    assert not secret or secret not in done.stderr


def test_all_problems_are_told_at_once_and_no_value_is() -> None:
    done = start_with(DATABASE_URL="mysql://root:hunter2@localhost/x")
    assert done.returncode == 78
    assert "DATABASE_URL must begin with" in done.stderr
    assert "SECRET_KEY is not set" in done.stderr
    assert "hunter2" not in done.stderr


def test_health_is_alive_and_deep_health_knows_the_migration(http: httpx.Client) -> None:
    assert http.get("/health").json() == {"status": "alive", "version": VERSION, "release": "r-test"}
    deep = http.get("/health/deep")
    assert (deep.status_code, deep.json()["database"]) == (200, "alive")


def test_deep_health_fails_where_nothing_was_migrated(server_url: str, tmp_path: Path) -> None:
    with new_database(server_url) as url, serve(url, tmp_path / "log") as running:
        assert httpx.get(f"{running.url}/health", trust_env=False).status_code == 200
        deep = httpx.get(f"{running.url}/health/deep", trust_env=False)
        assert (deep.status_code, deep.json()["status"]) == (503, "failing")


def test_the_sqlalchemy_form_of_the_url_is_understood(database_url: str, tmp_path: Path) -> None:
    with serve(database_url.replace("postgresql://", "postgresql+asyncpg://"), tmp_path / "log") as running:
        assert httpx.get(f"{running.url}/health/deep", trust_env=False).status_code == 200


def test_migrations_go_down_and_up_again(server_url: str) -> None:
    with new_database(server_url) as url:
        migrate(url)
        migrate(url, revision="base")
        tables = sql(url, "select tablename from pg_tables where schemaname = 'public'")
        assert [row["tablename"] for row in tables] == ["alembic_version"]
        migrate(url)


def test_a_database_that_a_newer_release_migrated_is_left_as_it_is(server_url: str) -> None:
    with new_database(server_url) as url:
        migrate(url)
        sql(url, "update alembic_version set version_num = '9999'")
        migrate(url)
        assert [row["version_num"] for row in sql(url, "select version_num from alembic_version")] == ["9999"]


def test_the_page_names_its_release_and_all_it_loads_is_there(http: httpx.Client) -> None:
    page = http.get("/")
    assert page.status_code == 200
    assert f"Letter Meadow {VERSION} · {RELEASE_NOTE}" in page.text
    assert "r-test" in page.text
    assert "{{" not in page.text
    assert "://" not in re.sub(r"<!--.*?-->", "", page.text), "the page asks somebody else for something"
    loaded = set(re.findall(r'"(/assets/[^"]+)"', page.text))
    for name in list(loaded):
        if name.endswith(".js"):
            loaded |= {f"/assets/{part}" for part in re.findall(r'from "\./([^"]+)"', http.get(name).text)}
    loaded |= {f"/assets/{part}" for part in re.findall(r'url\("([^"]+)"\)', http.get("/assets/style.css").text)}
    assert len(loaded) >= 8
    for name in loaded:
        answer = http.get(name)
        assert answer.status_code == 200, name
        assert answer.headers["cache-control"] == "no-cache", name
        again = http.get(name, headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304, name


def test_every_answer_carries_the_security_headers(http: httpx.Client) -> None:
    for path in ("/", "/assets/app.js", "/api/version", "/api/children", "/nowhere"):
        headers = http.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
    assert http.get("/api/version").headers["cache-control"] == "no-store"


def test_files_outside_the_web_folder_stay_there(http: httpx.Client) -> None:
    for path in ("/assets/../app/main.py", "/assets/%2e%2e/pyproject.toml", "/assets/..%2fpyproject.toml"):
        assert http.get(path).status_code == 404, path


def test_another_origin_is_let_in_when_it_is_named(database_url: str, tmp_path: Path) -> None:
    with serve(database_url, tmp_path / "log", ALLOWED_ORIGINS="https://app.example, https://b.example/") as running:
        for origin, allowed in (("https://b.example", True), ("https://evil.example", False)):
            account = {"email": Family(httpx.Client()).email, "password": "sunflower-9"}
            answer = httpx.post(
                f"{running.url}/api/register", json=account, headers={"origin": origin}, trust_env=False
            )
            assert answer.status_code == (201 if allowed else 403)
            assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)


def test_the_star_count_moves_while_one_listens(family: Family, server: Server) -> None:
    child = family.add_child()
    counts: list[int] = []

    def listen() -> None:
        with httpx.stream("GET", f"{server.url}/api/stars", timeout=15, trust_env=False) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    counts.append(int(line.removeprefix("data: ")))
                    if counts[-1] > counts[0]:
                        return

    listener = threading.Thread(target=listen)
    listener.start()
    until(lambda: bool(counts))
    family.play(child)
    listener.join(10)
    assert counts[-1] > counts[0]


def test_cheers_keep_coming_and_are_for_our_page_only(server: Server) -> None:
    address = server.url.replace("http://", "ws://") + "/ws/cheer"

    async def hear() -> list[str]:
        async with websockets.connect(address, proxy=None) as socket:
            return [json.loads(await asyncio.wait_for(socket.recv(), 5))["cheer"] for _ in range(3)]

    async def hear_from_elsewhere() -> None:
        async with websockets.connect(address, proxy=None, origin="http://evil.example"):
            pass

    assert all(asyncio.run(hear()))
    with pytest.raises(websockets.exceptions.InvalidStatus):
        asyncio.run(hear_from_elsewhere())


def test_a_stop_ends_streams_and_sockets_at_once_and_says_so(database_url: str, tmp_path: Path) -> None:
    with serve(database_url, tmp_path / "log") as running:
        ended: list[str] = []
        heard = threading.Event()

        def follow() -> None:
            with httpx.stream("GET", f"{running.url}/api/stars", timeout=15, trust_env=False) as stream:
                for line in stream.iter_lines():
                    heard.set()
                    ended.append(line)

        async def drained(socket: websockets.ClientConnection) -> None:
            with contextlib.suppress(websockets.exceptions.ConnectionClosed):
                async for _ in socket:
                    pass

        async def cheer_until_closed() -> int | None:
            async with websockets.connect(running.url.replace("http", "ws") + "/ws/cheer", proxy=None) as socket:
                await socket.recv()
                running.process.send_signal(signal.SIGTERM)
                await asyncio.wait_for(drained(socket), 10)
                return socket.close_code

        follower = threading.Thread(target=follow)
        follower.start()
        assert heard.wait(10)
        begun = time.monotonic()
        code = asyncio.run(cheer_until_closed())
        running.process.wait(10)
        follower.join(5)
        assert time.monotonic() - begun < 5
        assert code == 1012
        assert "event: bye" in ended
        assert "Traceback" not in running.log.read_text()


def test_a_statement_that_hangs_is_ended(server: Server, family: Family, database_url: str) -> None:
    """A lock held elsewhere makes an answer fail after the time limit instead of taking a connection for ever."""
    child = family.add_child()

    async def hold_and_play() -> tuple[int, float]:
        import asyncpg

        connection = await asyncpg.connect(database_url)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("lock table answers in access exclusive mode")
        question = family.http.get("/api/game/next", params={"child": child}).json()
        body = {"child": child, "question": question["question"], "choice": "A"}
        begun = time.monotonic()
        answer = await asyncio.to_thread(
            httpx.post,
            f"{server.url}/api/game/answer",
            json=body,
            headers={"x-csrf-token": family.csrf},
            cookies=dict(family.http.cookies),
            timeout=20,
            trust_env=False,
        )
        await transaction.rollback()
        await connection.close()
        return answer.status_code, time.monotonic() - begun

    status, took_s = asyncio.run(hold_and_play())
    assert status == 500
    assert 4 < took_s < 9
    assert family.play(child)["stars"] == 1


def test_the_example_environment_names_every_setting_that_is_read() -> None:
    named = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {"DATABASE_URL", "SECRET_KEY", "ALLOWED_ORIGINS"} <= named
