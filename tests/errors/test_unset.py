"""Which setting a process that ended was missing, from what it wrote."""

from __future__ import annotations

import subprocess
import sys

import pytest

from underway.errors.unset import settings_in

PYDANTIC_1 = """pydantic.error_wrappers.ValidationError: 2 validation errors for Settings
CORS_ORIGINS -> 0
  invalid or missing URL scheme (type=value_error.url.scheme)
MAIL_KEY
  field required (type=value_error.missing)"""
PYDANTIC_2 = """pydantic_core._pydantic_core.ValidationError: 2 validation errors for AppSettings
stripe_key
  Field required [type=missing, input_value={}, input_type=dict]
    For further information visit https://errors.pydantic.dev/2.11/v/missing
WORKERS
  Input should be a valid integer [type=int_parsing, input_value='x', input_type=str]
    For further information visit https://errors.pydantic.dev/2.11/v/int_parsing"""
ZOD = """ZodError: [
  {
    "expected": "number",
    "code": "invalid_type",
    "received": "NaN",
    "path": [
      "API_PORT"
    ],
    "message": "Some .env variables are invalid!"
  },
  {
    "code": "invalid_type",
    "expected": "string",
    "received": "undefined",
    "path": [
      "SMTP_PASS"
    ],
    "message": "Required"
  }
]
    at <anonymous> (/srv/env.ts:32:30)"""
T3 = """❌ Invalid environment variables: {
  AUTH_SECRET: [ 'Required' ],
  SITE: [ 'Invalid url' ]
}"""
ENVALID = """================================
 Missing environment variables:
    MAIL_TOKEN: of the mail provider
================================"""


@pytest.mark.parametrize(
    ("log", "missing", "wrong"),
    [
        ("RuntimeError: Environment variable NICEGUI_API_KEY must be set.", "NICEGUI_API_KEY", ""),
        ("ImproperlyConfigured: Set the STRIPE_KEY environment variable", "STRIPE_KEY", ""),
        ("decouple.UndefinedValueError: MAIL_KEY not found. Declare it as envvar or define a default.", "MAIL_KEY", ""),
        ("error: Environment variable not found: DATABASE_URL.", "DATABASE_URL", ""),
        ("Error: SECRET is required", "SECRET", ""),
        ('Error: Config validation error: "MAIL_KEY" is required', "MAIL_KEY", ""),
        ("Error: Missing required environment variables: A_KEY, B_KEY", "A_KEY B_KEY", ""),
        (PYDANTIC_1, "MAIL_KEY", "CORS_ORIGINS"),
        (PYDANTIC_2, "STRIPE_KEY", "WORKERS"),
        (ZOD, "SMTP_PASS", "API_PORT"),
        (T3, "AUTH_SECRET", "SITE"),
        (ENVALID, "MAIL_TOKEN", ""),
        ("KeyError: 'DB_PROVIDER'", "", ""),
        ("Error: connect ECONNREFUSED 127.0.0.1:5432 is not set up", "", ""),
        ("ModuleNotFoundError: No module named 'config'", "", ""),
        ("pydantic_core.ValidationError: 1 validation error for Item\nname\n  Field required [type=missing]", "", ""),
        ('    raise RuntimeError("OTHER_KEY must be set")', "", ""),
        ("TypeError: HTTP_PROXY_AGENT.create(x) is not defined", "", ""),
    ],
)
def test_the_settings_that_a_log_names(log: str, missing: str, wrong: str) -> None:
    found = settings_in(log.splitlines())
    assert (" ".join(found.missing), " ".join(found.wrong)) == (missing, wrong)


def test_a_key_error_of_the_real_environment_is_a_setting_and_of_a_dictionary_is_none() -> None:
    for code, wanted in (("import os; os.environ['MAIL_KEY']", ("MAIL_KEY",)), ("{}['MAIL_KEY']", ())):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={})
        assert settings_in(done.stderr.splitlines()).missing == wanted


def test_the_remedy_has_the_line_and_the_command_of_every_name() -> None:
    found = settings_in(PYDANTIC_1.splitlines())
    assert found.command() == "underway env set MAIL_KEY CORS_ORIGINS"
    assert 'MAIL_KEY = "…", CORS_ORIGINS = "…"' in found.remedy()
    assert not settings_in(["all is well"])


def test_a_process_that_said_nothing_names_no_setting() -> None:
    assert settings_in([]).missing == ()
