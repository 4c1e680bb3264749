"""A product of one file: it keeps notes in PostgreSQL, and its release can be told from its answers.

What it does wrong is chosen by MODE: nothing, `dies` at start, `unhealthy` for ever, `dies-later` after 1 s of life,
`redirects` its health path, answers 500 to `half` of the requests, `deaf` (never listens).
"""

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path

import asyncpg

MODE = os.environ.get("MODE") or Path(__file__).with_name("MODE").read_text().strip()
VERSION = Path(__file__).with_name("VERSION").read_text().strip()


class Server:
    def __init__(self, pool):
        self.pool = pool
        self.open = set()

    async def serve(self, reader, writer):
        self.open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                words, *lines = head.decode().split("\r\n")
                method, path, _ = words.split(" ")
                size = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length")), 0)
                body = await reader.readexactly(size)
                status, answer, extra = await self.answer(method, path, body)
                text = json.dumps(answer).encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n"
                    f"Content-Type: application/json\r\n{extra}\r\n".encode()
                    + text
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    async def answer(self, method, path, body):
        if path == "/health":
            if MODE == "redirects":
                return 301, {}, "Location: /health/\r\n"
            return (503 if MODE == "unhealthy" else 200), {"version": VERSION}, ""
        if path == "/notes" and method == "POST":
            number = await self.pool.fetchval("INSERT INTO notes (text) VALUES ($1) RETURNING id", body.decode())
            return 201, {"id": number}, ""
        if path == "/notes":
            return 200, {"ids": [row["id"] for row in await self.pool.fetch("SELECT id FROM notes ORDER BY id")]}, ""
        if path == "/slow":
            await asyncio.sleep(1)
        if MODE == "half" and random.random() < 0.5:
            return 500, {"error": "KeyError: 'currency'"}, ""
        return 200, {"version": VERSION, "release": os.environ["UNDERWAY_RELEASE"], "pid": os.getpid()}, ""


async def main():
    if MODE == "dies":
        sys.exit("no setting KEY was found")
    print("version", VERSION, "starts", flush=True)
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3)
    server = Server(pool)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if MODE != "deaf":
        await asyncio.start_server(server.serve, "127.0.0.1", int(os.environ["PORT"]))
    if MODE == "dies-later":
        asyncio.get_running_loop().call_later(1.5, os._exit, 7)
    await stop.wait()
    await asyncio.sleep(0.05)


asyncio.run(main())
