"""What a process died of, in one line."""

from __future__ import annotations

import pytest

from underway.errors.told import told_in

BOOT = """\
[2026-11-21 20:42:09 +0000] [29134] [INFO] Starting gunicorn 20.0.4
[2026-11-21 20:42:09 +0000] [29137] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/x/.venv/lib/python3.8/site-packages/gunicorn/arbiter.py", line 583, in spawn_worker
    worker.init_process()
  File "/x/tree/blog/config/parser.py", line 12, in <module>
    raise FileNotFoundError('.secrets does not exist')
FileNotFoundError: .secrets does not exist
[2026-11-21 20:42:09 +0000] [29137] [INFO] Worker exiting (pid: 29137)
Traceback (most recent call last):
  File "/x/.venv/lib/python3.8/site-packages/gunicorn/arbiter.py", line 525, in reap_workers
    raise HaltServer(reason, self.WORKER_BOOT_ERROR)
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>
"""
CUT = """\
  File "/x/sqlalchemy/engine/default.py", line 922, in do_execute
    cursor.execute(statement, parameters)
sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedTable) relation "contacts" does not exist
[SQL: CREATE INDEX i ON contacts (is_read)]
(Background on this error at: https://sqlalche.me/e/20/f405)
"""
NODE = """\
node:internal/modules/cjs/loader:1210
  throw err;
  ^

Error: Cannot find module '/x/tree/build/index.js'
    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15)
    at Module._load (node:internal/modules/cjs/loader:1038:27)
Node.js v20.20.2
"""


PORT = """\
Traceback (most recent call last):
  File "/x/portend.py", line 126, in free
    raise Timeout("Port {port} not free on {host}.".format(**locals()))
portend.Timeout: Port 8080 not free on 127.0.0.1.
"""
SECRET = """\
Traceback (most recent call last):
  File "/x/tree/db.py", line 9, in <module>
    connect()
sqlalchemy.exc.OperationalError: connect to postgresql://shop:hunter22@db:5432/shop failed
"""


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (BOOT, "FileNotFoundError: .secrets does not exist (parser.py:12)"),
        (CUT, 'sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedTable) relation "contacts" does not exist'),
        (NODE, "Error: Cannot find module '/x/tree/build/index.js'"),
        (PORT, "Timeout: Port 8080 not free on 127.0.0.1. (portend.py:126)"),
        (SECRET, "OperationalError: connect to postgresql://•••@db:5432/shop failed (db.py:9)"),
        ("no setting KEY was found\n", ""),
        ("", ""),
    ],
    ids=[
        "a-server-that-halts",
        "without-its-beginning",
        "node",
        "as-it-was-written",
        "but-no-password",
        "no-error",
        "nothing",
    ],
)
def test_what_it_died_of(log: str, told: str) -> None:
    found = told_in(log.splitlines())
    assert found.startswith(told) if told else not found
