"""The line of a log that a person should see first. The logs are real ones, shortened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underway.drivers.builds.reasons import cleaned, is_disk_full, reason

UV_NO_SOLUTION = """\
Using Python 3.11.7 environment at: .venv
  × No solution found when resolving dependencies:
  ╰─▶ Because nosuch was not found in the package registry and you require
      nosuch, we can conclude that your requirements are unsatisfiable.

      hint: something else"""
UV_HASH = """\
Resolved 1 package in 97ms
error: Failed to download `itsdangerous==2.2.0`
  cause: Hash mismatch for `itsdangerous==2.2.0`

         Expected:
           sha256:0000"""
NPM_E404 = """\
npm error code E404
npm error 404 Not Found - GET https://registry.npmjs.org/nosuch - Not found
npm error 404
npm error 404  'nosuch@^1.0.0' is not in this registry.
npm error A complete log of this run can be found in: /x/_logs/debug-0.log"""
NPM_SCRIPT = """\
> front@1.0.0 build
> vite build

vite v5.0.0 building for production...
error during build:
Error: Could not resolve "./pages/home" from "src/main.js"
npm error Lifecycle script `build` failed with error:
npm error code 1
npm error path /x"""
TRACEBACK = """\
Operations to perform:
Traceback (most recent call last):
  File "manage.py", line 22, in <module>
    main()
django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.
"""


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (UV_NO_SOLUTION, "Because nosuch was not found in the package registry"),
        (UV_HASH, "Hash mismatch for `itsdangerous==2.2.0`"),
        (NPM_E404, "'nosuch@^1.0.0' is not in this registry"),
        (NPM_SCRIPT, 'Could not resolve "./pages/home"'),
        (TRACEBACK, "ImproperlyConfigured: The SECRET_KEY setting must not be empty."),
        ("one\ncp: cannot stat 'x': No such file or directory\ndone", "cp: cannot stat"),
        ("one\ntwo\n\n", "two"),
        ("", ""),
    ],
)
def test_the_telling_line(log: str, expected: str) -> None:
    assert expected in reason(log.splitlines())


def test_colours_carriage_returns_and_secrets_are_cleared() -> None:
    assert cleaned(
        ["\x1b[31merror\x1b[0m: x", "10%\r50%\r100%", "a hunter2 b\r", "\x1b]0;title\x07y"], ["hunter2"]
    ) == [
        "error: x",
        "100%",
        "a ••• b",
        "y",
    ]


def test_a_full_disk_is_recognised() -> None:
    assert is_disk_full(["OSError: [Errno 28] No space left on device"])
    assert is_disk_full(["npm error code ENOSPC"])
    assert not is_disk_full(["disk usage: fine"])


@given(st.lists(st.text(max_size=80), max_size=12))
def test_no_log_is_a_crash(lines: list[str]) -> None:
    assert len(reason(cleaned(lines))) <= 600
