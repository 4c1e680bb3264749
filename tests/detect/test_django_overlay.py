"""Django settings that fix what a deploy must decide: a module beside them gives it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from underway.detect import Detection
from underway.manifest.env_keys import EnvVar

Look = Callable[[Mapping[str, str]], Detection]

MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")\n'
WSGI = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
DATABASE = 'DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "db"}}\n'


def project(settings: str, manage: str = MANAGE) -> dict[str, str]:
    return {
        "manage.py": manage,
        "config/__init__.py": "",
        "config/settings.py": "import os\n" + settings,
        "config/wsgi.py": WSGI,
        "requirements.txt": "django\ngunicorn\npsycopg\n",
    }


def overlaid(detection: Detection, settings: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """What the settings are when the written module is imported with `environ`."""
    assert detection.manifest is not None, detection.problems
    assert detection.manifest.env["DJANGO_SETTINGS_MODULE"] == EnvVar(value="underway_settings")
    program, form, text, arrow, target = shlex.split(detection.manifest.build.commands[0])
    assert (program, form, arrow) == ("printf", "%s\\n", ">")
    assert target == "underway_settings.py"
    first, _, rest = text.partition("; ")
    assert first == "from config.settings import *"
    names: dict[str, Any] = {
        **settings,
        "__builtins__": {"__import__": lambda *a: type("os", (), {"environ": environ})},
    }
    exec(rest, names)
    return names


def test_hosts_that_are_fixed_get_the_apps_own(look: Look) -> None:
    detection = look(project('ALLOWED_HOSTS = ["shop.example.com"]\n'))
    environ = {"ALLOWED_HOSTS": "shop.localhost,localhost", "CSRF_TRUSTED_ORIGINS": "http://shop.localhost"}
    found = overlaid(detection, {}, environ)
    assert found["ALLOWED_HOSTS"] == ["shop.localhost", "localhost"]
    assert found["CSRF_TRUSTED_ORIGINS"] == ["http://shop.localhost"]
    assert detection.manifest is not None
    assert detection.manifest.env["ALLOWED_HOSTS"] == EnvVar(value="${hosts}")
    assert [c.evidence for c in detection.claims if c.about == "host"] == ["config/settings.py:2"]


def test_an_address_that_is_fixed_gets_the_one_provided(look: Look) -> None:
    detection = look(project('ALLOWED_HOSTS = ["*"]\n' + DATABASE))
    parts = {"PGDATABASE": "d", "PGUSER": "u", "PGPASSWORD": "w", "PGHOST": "h", "PGPORT": "1"}
    found = overlaid(detection, {"DATABASES": {"default": {"ENGINE": "x", "NAME": "shop", "HOST": "db"}}}, parts)
    assert found["DATABASES"]["default"] == {
        "ENGINE": "x", "NAME": "d", "USER": "u", "PASSWORD": "w", "HOST": "h", "PORT": "1",
    }  # fmt: skip
    assert detection.manifest is not None
    assert detection.manifest.services.postgres is not None


def test_a_public_secret_key_is_replaced(look: Look) -> None:
    detection = look(project('SECRET_KEY = "django-insecure-1"\n'))
    assert overlaid(detection, {}, {"SECRET_KEY": "made"})["SECRET_KEY"] == "made"
    assert detection.manifest is not None
    assert detection.manifest.env["SECRET_KEY"] == EnvVar(generate="django", secret=True)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param('ALLOWED_HOSTS = ["*"]\nSECRET_KEY = os.environ["SECRET_KEY"]\n', id="nothing-is-fixed"),
        pytest.param('ALLOWED_HOSTS = [".localhost"]\n', id="its-own-name-is-accepted"),
    ],
)
def test_nothing_is_laid_over_settings_that_need_nothing(look: Look, settings: str) -> None:
    detection = look(project(settings))
    assert detection.manifest is not None
    assert detection.manifest.build.commands == ()
    assert "DJANGO_SETTINGS_MODULE" not in detection.manifest.env


@pytest.mark.parametrize(
    ("settings", "code"),
    [('ALLOWED_HOSTS = ["shop.example.com"]\n', "detect.hosts-fixed"), (DATABASE, "detect.database-fixed")],
)
def test_where_the_settings_are_named_in_code_the_owner_is_told(look: Look, settings: str, code: str) -> None:
    hard = 'import os\nos.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"\n'
    (problem,) = look(project(settings, hard)).problems
    assert (problem.code, problem.where) == (code, "config/settings.py:2")


def test_hosts_that_the_settings_in_use_read_are_not_those_they_build_on(look: Look) -> None:
    files = project('from .base import *\nALLOWED_HOSTS = os.environ["HOSTS"].split(",")\n')
    manifest = look({**files, "config/base.py": "ALLOWED_HOSTS = []\n"}).manifest
    assert manifest is not None
    assert manifest.build.commands == ()


def test_no_hosts_at_all_get_the_apps_own_as_well(look: Look) -> None:
    found = overlaid(look(project("ALLOWED_HOSTS = []\n")), {}, {"ALLOWED_HOSTS": "a", "CSRF_TRUSTED_ORIGINS": "b"})
    assert found["ALLOWED_HOSTS"] == ["a"]


def test_debug_is_switched_off_by_the_name_that_the_settings_ask_for(look: Look) -> None:
    manifest = look(project("DEBUG = 'ON_A_HOST' not in os.environ\n")).manifest
    assert manifest is not None
    assert manifest.env["ON_A_HOST"] == EnvVar(value="1")


def test_debug_that_nothing_switches_off_is_told(look: Look) -> None:
    claims = [c for c in look(project("DEBUG = True\n")).claims if "DEBUG is on" in c.says]
    assert [c.evidence for c in claims] == ["config/settings.py:2"]
