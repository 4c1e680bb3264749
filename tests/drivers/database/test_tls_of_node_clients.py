"""A client of Node's that demands TLS of the database beside it, with the module that its app is started with."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from underway.drivers.builds import listening
from underway.drivers.database.postgres import PostgresDatabase
from underway.manifest.build import LISTEN_MODULE
from underway.terms.secret import Secret

CLIENT = """
const net = require("net"), tls = require("tls")
import("node:tls").then((imported) => {
  const ask = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
  const socket = net.connect(...JSON.parse(process.argv[2]), () => socket.write(ask))
  socket.on("error", (error) => { console.log("error", error.code); process.exit(1) })
  socket.once("data", (answer) => {
    console.log("asked", answer.toString())
    if (String(answer) !== "S") process.exit(0)
    socket.removeAllListeners()
    const connect = process.argv[3] === "imported" ? imported.connect : tls.connect
    const secured = connect({ socket, rejectUnauthorized: false })
    secured.on("error", (error) => { console.log("error", error.code); process.exit(1) })
    secured.on("secureConnect", () => {
      const words = Buffer.from("user\\0" + process.env.PGUSER + "\\0database\\0" + process.env.PGUSER + "\\0\\0")
      const start = Buffer.alloc(8)
      start.writeInt32BE(words.length + 8, 0)
      start.writeInt32BE(196608, 4)
      secured.write(Buffer.concat([start, words]))
    })
    secured.once("data", (said) => {
      console.log(String.fromCharCode(said[0]), said.toString().includes("SCRAM-SHA-256"))
      process.exit(0)
    })
  })
})
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine")
@pytest.mark.parametrize("way", ["required", "imported"])
def test_it_speaks_to_the_database_of_the_app(served: Callable[[], PostgresDatabase], tmp_path: Path, way: str) -> None:
    listening.add(tmp_path, LISTEN_MODULE)
    (tmp_path / "client.js").write_text(CLIENT)

    async def story() -> None:
        at = await served().provision("tls", Secret("correct-horse-1"))
        given = {"PATH": os.environ["PATH"], "PGUSER": at.user, "UNDERWAY_POSTGRES_PORT": str(at.port)}

        def said(place: str, **env: str) -> list[str]:
            argv = ["node", "--require", f"./{LISTEN_MODULE}", "client.js", place, way]
            ran = subprocess.run(
                argv, cwd=tmp_path, env={**given, **env}, capture_output=True, text=True, timeout=60, check=False
            )
            assert ran.stderr == ""
            return ran.stdout.splitlines()

        for place in (f'[{{"host": "127.0.0.1", "port": {at.port}}}]', f'[{at.port}, "localhost"]', "[5432]"):
            assert await asyncio.to_thread(said, place) == ["asked S", "R true"]
        told = await asyncio.to_thread(said, f'[{at.port}, "127.0.0.1"]', UNDERWAY_POSTGRES_PORT="")
        assert told == ["asked N"]  # what the server itself says

    asyncio.run(story())
