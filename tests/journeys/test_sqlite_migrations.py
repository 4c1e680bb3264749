"""An app that keeps its rows in an SQLite file: backed up before a migration, and the way back goes with the data."""

from __future__ import annotations

import json

import pytest

from .world import make_world

MANIFEST = """\
manifest = 1
app = "pad"
shared = ["data"]
[build.python]
manager = "uv"
[processes.web]
command = "python server.py"
[health]
path = "/"
interval = "50ms"
[migrate]
command = "python migrate.py"
paths = ["migrate.py"]
[release]
strategy = "blue-green"
watch = "500ms"
[backup]
every = "0s"
drill = "0s"
"""
SERVER = """\
import os, sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Pad(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("SELECT group_concat(COLUMN) FROM lines")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer("INSERT INTO lines (COLUMN) VALUES (?) RETURNING COLUMN", body)
    def answer(self, sql, *values):
        session = sqlite3.connect("data/app.db", timeout=20)
        with session:
            said = str(session.execute(sql, values).fetchall()[0][0]).encode()
        session.close()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *words):
        pass
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Pad).serve_forever()
"""
FIRST = """\
import os, sqlite3
os.makedirs("data", exist_ok=True)
with sqlite3.connect("data/app.db") as session:
    session.execute("CREATE TABLE IF NOT EXISTS lines (words TEXT)")
"""
RENAMES = FIRST + '    session.execute("ALTER TABLE lines RENAME COLUMN words TO body")\n'


@pytest.fixture
def world():
    made = make_world()
    yield made
    made.close()


def source(world, column, migrate):
    return world.app(
        "pad", underway_dot_toml=MANIFEST, server_dot_py=SERVER.replace("COLUMN", column), migrate_dot_py=migrate
    )


ADDS = FIRST + '    session.execute("ALTER TABLE lines ADD COLUMN mood TEXT")\n'
SPREADS = """\
    session.execute("CREATE TABLE IF NOT EXISTS wide (words TEXT, size INTEGER)")
    session.execute("INSERT INTO wide SELECT words, length(words) FROM lines")
"""


def rehearsed(done):
    (found,) = [event["rehearsal"] for event in done["events"] if event["event"] == "rehearsed"]
    return found


def test_a_migration_of_a_file_is_tried_on_a_copy_and_the_way_back_takes_the_file_back(world):
    first = world.deploy(source(world, "words", FIRST))
    assert first["outcome"] == "live", first
    assert world.ask("/", app="pad", method="POST", body="before").text == "before"
    file = world.home / "apps/pad/shared/data/app.db"
    kept = file.read_bytes()

    stopped = world.deploy(source(world, "body", RENAMES))
    (problem,) = stopped["problems"]
    assert problem["code"] == "rehearse.old-code", problem
    assert first["release"] in problem["where"]
    assert file.read_bytes() == kept, "it was tried on a copy"

    done = world.deploy(source(world, "body", RENAMES), "--allow", "contract")
    assert done["outcome"] == "live", done
    seen = rehearsed(done)
    assert seen["how"] == "copied as files"
    assert (seen["old_code"]["release"], seen["old_code"]["runs"]) == (first["release"], "no")
    assert sorted(seen["observed"]["changes"]) == ["lines.body is new", "lines.words is gone"]
    assert seen["observed"]["was_bytes"] > 0
    (made,) = [event["backup"] for event in done["events"] if event["event"] == "backup_made"]
    assert made["id"] == done["release"]
    assert [part["source"] for part in made["parts"]] == ["data"]
    assert world.ask("/", app="pad", method="POST", body="after").text == "after"

    refused = world.run("rollback", "pad", "--json")
    assert refused.returncode == 3, refused.stdout
    (problem,) = json.loads(refused.stdout.splitlines()[-1])["problems"]
    assert problem["code"] == "rollback.schema"
    assert "does not run on the database as it is now" in problem["why"]
    assert f"backup {done['release']}" in problem["why"]
    assert "loses 1 row written since (data/app.db lines 1)" in problem["why"]

    back = world.run("rollback", "pad", "--restore", done["release"], "--json", timeout=120)
    assert back.returncode == 0, back.stdout[-3000:] + back.stderr
    assert world.ask("/", app="pad").text == "before"

    added = world.deploy(source(world, "words", ADDS + SPREADS))
    assert added["outcome"] == "live", added
    seen = rehearsed(added)
    assert seen["old_code"]["runs"] == "yes", seen["old_code"]
    assert {table["table"]: table["rows_written"] for table in seen["observed"]["tables"]} == {"wide": 1}
    assert any("mood" in ran["statement"] for ran in seen["observed"]["statements"])
    gone = world.run("rollback", "pad", "--to", first["release"], "--json")
    assert gone.returncode == 0, "the code alone goes back: " + gone.stdout[-2000:]
    assert world.ask("/", app="pad").text == "before"
