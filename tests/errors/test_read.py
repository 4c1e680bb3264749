"""Tracebacks become errors: one each, the same one each time, without secrets."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.errors.read import TraceReader
from underway.terms.app_error import AppError


def read(text: str, secrets: tuple[str, ...] = ()) -> list[AppError]:
    reader = TraceReader(secrets)
    return [error for line in text.split("\n") for error in reader.feed(line)] + reader.flush()


def says(text: str) -> list[str]:
    return [error.says() for error in read(text)]


PYTHON = """\
INFO:     10.0.0.1:1 - "GET /pay HTTP/1.1" 500 Internal Server Error
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  File "/home/builds/ab12/.venv/lib/python3.11/site-packages/starlette/routing.py", line 75, in app
    response = await func(request)
               ^^^^^^^^^^^^^^^^^^^
  File "/home/builds/ab12/app/checkout.py", line 88, in pay
    rate = rates[order["currency"]]
KeyError: 'currency'
INFO:     10.0.0.1:1 - "GET / HTTP/1.1" 200 OK
"""

NODE = """\
Listening on 3000
TypeError: Cannot read properties of undefined (reading 'currency')
    at rateOf (/srv/builds/ab12/checkout.js:88:13)
    at Layer.handle [as handle_request] (/srv/builds/ab12/node_modules/express/lib/router/layer.js:95:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
GET /pay 500
"""


def test_a_python_error_is_told_by_the_apps_own_line() -> None:
    assert says(PYTHON) == ["KeyError: 'currency' (checkout.py:88)"]


def test_a_node_error_too() -> None:
    assert says(NODE) == ["TypeError: Cannot read properties of undefined (reading 'currency') (checkout.js:88)"]


def test_the_same_error_in_the_next_release_is_the_same_though_its_line_moved() -> None:
    moved = PYTHON.replace("line 88", "line 97").replace("/ab12/", "/cd34/")
    assert read(PYTHON)[0].fingerprint == read(moved)[0].fingerprint
    assert says(moved) == ["KeyError: 'currency' (checkout.py:97)"]
    for other in (
        PYTHON.replace("in pay", "in refund"),
        PYTHON.replace("'currency'", "'amount'"),
        PYTHON.replace("KeyError", "IndexError"),
    ):
        assert read(other)[0].fingerprint != read(PYTHON)[0].fingerprint


def test_a_message_is_the_same_whatever_number_or_id_is_in_it() -> None:
    one = PYTHON.replace(
        "KeyError: 'currency'", "ValueError: order 4711 of ann@example.com not found (id 9f8e7d6c5b4a)"
    )
    two = PYTHON.replace("KeyError: 'currency'", "ValueError: order 12 of bob@example.org not found (id 1a2b3c4d5e6f)")
    assert read(one)[0].fingerprint == read(two)[0].fingerprint
    assert read(one)[0].message == "order N of <email> not found (id <id>)"


@pytest.mark.parametrize(
    "message",
    [
        "could not connect to postgresql://shop:hunter2pass@db:5432/shop",
        "password=hunter2pass is wrong",
        "{'Authorization': 'Bearer hunter2pass'}",
        "bad key sk_live_hunter2pass00000000",
        "the value hunter2pass of the vault",
        'config: {"api_key": "hunter2pass"}',
    ],
)
def test_secrets_are_not_in_what_is_kept(message: str) -> None:
    text = PYTHON.replace("KeyError: 'currency'", f"RuntimeError: {message}")
    (error,) = read(text, ("hunter2pass",) if "vault" in message else ())
    assert "hunter2" not in error.says()
    assert "•••" in error.says()


def test_a_chain_is_one_error() -> None:
    code = """
    def inner():
        return {}["a"]
    def outer():
        try:
            inner()
        except KeyError as error:
            raise RuntimeError("no rate") from error
    outer()
    """
    assert says(written(code)) == ["RuntimeError: no rate (<stdin>:8)"]


def test_a_group_is_one_error() -> None:
    code = """
    def inner():
        return {}["a"]
    try:
        inner()
    except KeyError as error:
        raise ExceptionGroup("two things", [error, ValueError("second")])
    """
    assert says(written(code)) == ["KeyError: 'a' (<stdin>:3)"], "the one that has a place"


def written(code: str) -> str:
    """What a real Python writes when this ends it."""
    done = subprocess.run([sys.executable, "-"], input=textwrap.dedent(code), capture_output=True, text=True)
    return done.stderr


def test_errors_inside_lines_of_json() -> None:
    python = json.dumps({"level": "error", "exc_info": PYTHON.partition("application\n")[2].rpartition("INFO")[0]})
    node = json.dumps({"level": 50, "err": {"type": "TypeError", "stack": NODE.partition("\n")[2]}})
    assert says(f"{python}\nplain\n{node}") == [says(PYTHON)[0], says(NODE)[0]]
    assert says(python[:-4]) == says(PYTHON), "a line that was cut"


def test_two_in_a_row_are_two_and_a_half_one_waits() -> None:
    assert says(PYTHON + PYTHON) == says(PYTHON) * 2
    assert says(NODE + NODE) == says(NODE) * 2
    reader = TraceReader()
    lines = PYTHON.split("\n")
    assert not [error for line in lines[:6] for error in reader.feed(line)]
    assert not reader.is_idle
    assert [error.says() for line in lines[6:] for error in reader.feed(line)] == says(PYTHON)
    assert reader.is_idle


def test_what_is_no_error_makes_none(tmp_path: Path) -> None:
    quiet = "\n".join(
        [
            "    at 12:30 the shop opens",
            "Traceback is a word",
            "ERROR something went wrong",
            '{"level": "info", "at": "x"}',
            "Error: no stack follows",
        ]
    )
    assert says(quiet) == []


ODD = ["{", '{"a": "Traceback (most recent call last):"}', "\x1b[31m", "  | x", "  +-+---- 1 ----"]
LINES = st.sampled_from([*PYTHON.split("\n"), *NODE.split("\n"), *ODD]) | st.text(max_size=60)


@settings(deadline=None)
@given(st.lists(LINES, max_size=40))
def test_no_line_of_any_program_breaks_it(lines: list[str]) -> None:
    assert all(len(error.says()) < 500 for error in read("\n".join(lines)))


def test_a_flood_and_endless_lines_take_little_time() -> None:
    began = time.process_time()
    read("\n".join([PYTHON] * 300))
    read("\n".join(["a" * 2_000, " at " + "(" * 1_990, "    at " + "x" * 1_990, '  File "' + "y" * 1_990] * 50))
    assert time.process_time() - began < 2
