"""The variables of a repository as everything in it names them, and what each seems to be."""

from __future__ import annotations

import pytest

from underway.detect.env_schema import Named, environment_of
from underway.manifest.env_keys import EnvVar
from underway.terms.tree import Tree

COMPOSE = """services:
  web:
    build: .
    environment:
      - FROM_LIST=1
      - PASSED_ON
      - NEEDED=${NEEDED:?set it}
    command: serve --key ${IN_COMMAND}
  worker:
    image: registry.example.com/shop:1
    environment:
      FROM_MAP: x
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: x
"""
WORKFLOW = """jobs:
  ship:
    steps:
      - run: deploy
        env:
          TOKEN: ${{ secrets.SHIP_TOKEN }}
          OWN: ${{ secrets.GITHUB_TOKEN }}
"""
APP_JSON = '{"env": {"HEROKU_ONE": {"required": true}, "HEROKU_TWO": {"value": "x", "required": true}, "THREE": "x"}}'
RENDER = "services:\n  - type: web\n    envVars:\n      - key: RENDER_ONE\n        value: x\n      - key: RENDER_TWO\n"


def seen(**files: str) -> dict[str, Named]:
    texts = {path.replace("__", "/").replace("_dot_", "."): text for path, text in files.items()}
    return environment_of(Tree("app", tuple(sorted(texts)), texts))


def test_files_that_hand_variables_on() -> None:
    found = seen(
        compose_dot_yml=COMPOSE,
        Dockerfile="FROM python\nARG BUILT_WITH\nENV SET_HERE=1\nENV PYTHONUNBUFFERED=1\n",
        _dot_github__workflows__ship_dot_yml=WORKFLOW,
        app_dot_json=APP_JSON,
        render_dot_yaml=RENDER,
        fly_dot_toml="app = 'x'\n[env]\nFLY_ONE = '1'\n[http_service]\nNOT_THIS = 1\n",
        Procfile="web: serve -w $WORKERS --port ${PORT}\n",
        _dot_env_dot_example="# a comment\nexport EXAMPLE_ONE=1\nEXAMPLE_TWO=\n",
    )
    wanted = "BUILT_WITH EXAMPLE_ONE EXAMPLE_TWO FLY_ONE FROM_LIST FROM_MAP HEROKU_ONE HEROKU_TWO IN_COMMAND NEEDED "
    assert sorted(found) == (wanted + "PASSED_ON RENDER_ONE RENDER_TWO SET_HERE SHIP_TOKEN THREE WORKERS").split()
    assert {name for name, each in found.items() if each.variable.required} == {"NEEDED", "HEROKU_ONE"}
    assert found["SHIP_TOKEN"].where == ".github/workflows/ship.yml:6"
    assert found["NEEDED"].where == "compose.yml:7"
    assert [name for name, each in found.items() if each.reads] == ["WORKERS"], (
        "a Procfile's line is what starts the app"
    )


SETTINGS = """import os
PLAIN = os.environ["PLAIN"]
PORT_OF = int(os.getenv("MAIL_PORT", "587"))
COUNT = int(os.environ.get("COUNT", "4"))
DEBUG = os.getenv("SHOW_TOOLBAR", "false") == "true"
URL = os.getenv("SITE_URL", "https://shop.example.com")
DSN = os.getenv("SEARCH_URL", "elastic://search:9200/x")
HOSTS = os.environ["HOSTS_ALLOWED"].split(",")
KEY = os.getenv("SECRET_KEY", "changeme")
TOKEN = os.environ["MAIL_TOKEN"]
"""


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("PLAIN", EnvVar(required=True)),
        ("MAIL_PORT", EnvVar(type="port", default="587")),
        ("COUNT", EnvVar(type="int", default="4")),
        ("SHOW_TOOLBAR", EnvVar(type="bool", default="false")),
        ("SITE_URL", EnvVar(type="url", default="https://shop.example.com")),
        ("SEARCH_URL", EnvVar(type="dsn", default="elastic://search:9200/x")),
        ("HOSTS_ALLOWED", EnvVar(type="list", required=True)),
        ("SECRET_KEY", EnvVar(secret=True)),
        ("MAIL_TOKEN", EnvVar(secret=True, required=True)),
    ],
)
def test_what_a_variable_seems_to_be(name: str, variable: EnvVar) -> None:
    assert seen(settings_dot_py=SETTINGS)[name].variable == variable


def test_the_codes_own_place_is_told_before_others() -> None:
    found = seen(settings_dot_py=SETTINGS, _dot_env_dot_example="PLAIN=1\n")["PLAIN"]
    assert (found.where, found.files) == ("settings.py:2", (".env.example:1",))


@pytest.mark.parametrize("text", ["{", '{"env": []}', "[1]", '{"env": {"A": 1, "": 2}}', "[" * 5000])
def test_a_broken_file_says_nothing(text: str) -> None:
    assert set(seen(app_dot_json=text, compose_dot_yml="services: [", render_dot_yaml=": :")) <= {"A"}
