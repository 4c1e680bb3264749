"""Repositories of several apps, of old Pythons, without locks: what is chosen, and what is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection, Machine, detect
from underway.manifest.env_keys import EnvVar
from underway.terms.tree import Tree

Look = Callable[[Mapping[str, str]], Detection]

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
PINNED = "fastapi==0.70.0\nuvicorn==0.15.0\n"
PYTHONS = ("3.13", "3.12", "3.11", "3.10", "3.8")


def dated(files: Mapping[str, str], day: str) -> Detection:
    tree = Tree(name="shop", paths=tuple(sorted(files)), texts=dict(files), day=day)
    return detect(tree, machine=Machine(cpus=2, pythons=PYTHONS, node_version="20"))


@pytest.mark.parametrize(
    ("requirements", "day", "version"),
    [
        (PINNED, "2022-06-01", "3.10"),
        (PINNED, "2022-11-01", "3.10"),
        (PINNED, "2019-01-01", "3.8"),
        (PINNED, "2026-01-01", ""),
        (PINNED, "", ""),
        ("fastapi\nuvicorn\n", "2022-06-01", ""),
        ("django==4.1\n" + PINNED, "2026-01-01", "3.11"),
    ],
)
def test_pinned_packages_get_the_python_of_their_day(requirements: str, day: str, version: str) -> None:
    manifest = dated({"main.py": FASTAPI, "requirements.txt": requirements}, day).manifest
    assert manifest is not None
    assert manifest.build.python is not None
    assert manifest.build.python.version == version


def test_a_django_that_no_python_here_runs_is_refused() -> None:
    files = {"main.py": FASTAPI, "requirements.txt": "fastapi\nDjango==1.10.5\n"}
    (problem,) = dated(files, "2017-01-01").problems
    assert (problem.code, problem.where) == ("detect.python-missing", "requirements.txt:2")
    assert "3.4 to 3.5" in problem.why


def test_loose_requirements_name_the_day_to_go_back_to() -> None:
    files = {"main.py": FASTAPI, "requirements.txt": "fastapi\nuvicorn==0.15.0\n"}
    says = [c.says for c in dated(files, "2022-06-01").claims if c.about == "build"]
    assert any("1 of 2 unpinned" in s and 'as_of = "2022-06-01"' in s for s in says)
    files["requirements.txt"] = PINNED
    assert not any("unpinned" in c.says for c in dated(files, "2022-06-01").claims)


SITE = "<h1>hello</h1>"
VITE = '{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "5"}}'


@pytest.mark.parametrize(
    ("files", "first"),
    [
        pytest.param({f"{n}/index.html": SITE for n in ("clock", "maze", "snake")}, "clock", id="pages"),
        pytest.param({f"lessons/{n}/package.json": VITE for n in ("1", "2", "3")}, "lessons/1", id="front-ends"),
        pytest.param(
            {
                f"{n}/{f}": t
                for n in ("a1", "b2", "c3")
                for f, t in (("main.py", FASTAPI), ("requirements.txt", PINNED))
            },
            "a1",
            id="apis",
        ),
    ],
)
def test_of_many_apps_the_owner_chooses(look: Look, files: dict[str, str], first: str) -> None:
    (problem,) = look(files).problems
    assert problem.code == "detect.several-apps"
    assert problem.command == f"underway deploy {first}"


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({f"{n}index.html": SITE for n in ("", "a/", "b/", "c/")}, id="one-site"),
        pytest.param(
            {"backend/main.py": FASTAPI, "backend/requirements.txt": PINNED, "frontend/package.json": VITE,
             "frontend/index.html": SITE},
            id="an-api-and-its-front-end",
        ),
    ],
)  # fmt: skip
def test_parts_of_one_app_are_no_choice(look: Look, files: dict[str, str]) -> None:
    assert look(files).manifest is not None


def test_a_template_is_no_page(look: Look) -> None:
    files = {"pyproject.toml": '[project]\nname = "tool"\n', "tool/templates/index.html": "{% block x %}{{ y }}"}
    assert look(files).manifest is None


def test_settings_for_production_are_chosen_where_there_are_any(look: Look) -> None:
    files = {
        "app.py": "import os\nfrom flask import Flask\napp = Flask(__name__)\n"
        "app.config.from_object(config[os.getenv('FLASK_CONFIG') or 'default'])\n",
        "config.py": "config = {\n    'development': A,\n    'production': B,\n    'default': A,\n}\n",
        "requirements.txt": "flask\ngunicorn\n",
    }
    detection = look(files)
    assert detection.manifest is not None
    assert detection.manifest.env["FLASK_CONFIG"] == EnvVar(value="production")
    files["config.py"] = "config = {'default': A}\n"
    again = look(files).manifest
    assert again is not None
    assert "FLASK_CONFIG" not in again.env


def test_settings_read_by_a_prefix(look: Look) -> None:
    files = {
        "app.py": "from quart import Quart\napp = Quart(__name__)\napp.config.from_prefixed_env(prefix='SHOP')\n",
        "requirements.txt": "quart\nhypercorn\nasyncpg\n",
        "development.env": 'SHOP_DB_DATABASE_URL="postgresql://a:b@c/d"\nOTHER=1\n',
    }
    manifest = look(files).manifest
    assert manifest is not None
    assert manifest.env["SHOP_SECRET_KEY"].generate
    assert manifest.services.postgres is not None
    assert dict(manifest.services.postgres.env) == {"SHOP_DB_DATABASE_URL": "url"}


def test_what_dynaconf_validates_is_asked_for(look: Look) -> None:
    files = {
        "main.py": FASTAPI,
        "conf.py": "from dynaconf import Dynaconf, Validator\n"
        "settings = Dynaconf(envvar_prefix='SHOP', validators=[\n"
        "    Validator('STRIPE_KEY', must_exist=True),\n    Validator('DB.POOL', default=5),\n])\n",
        "requirements.txt": "fastapi\nuvicorn\ndynaconf\n",
    }
    (problem,) = look(files).problems
    assert (problem.code, problem.where) == ("detect.env-missing", "conf.py:3")
    assert "SHOP_STRIPE_KEY" in problem.why


def test_an_alembic_whose_address_is_fixed_is_given_another(look: Look) -> None:
    files = {
        "app/main.py": "import os\n" + FASTAPI + "URL = os.environ['DATABASE_URL']\n",
        "alembic.ini": "[alembic]\nscript_location = migrations\nsqlalchemy.url = postgresql+asyncpg://a:b@db/shop\n",
        "migrations/env.py": "connectable = async_engine_from_config(config.get_section('x'))\n",
        "migrations/versions/1.py": "",
        "requirements.txt": "fastapi\nuvicorn\nasyncpg\nalembic\n",
    }
    manifest = look(files).manifest
    assert manifest is not None
    assert manifest.migrate is not None
    assert "postgresql+asyncpg://" in manifest.migrate.command
    assert "DATABASE_URL" in manifest.migrate.command
    files["migrations/env.py"] = "import os\nconfig.set_main_option('sqlalchemy.url', os.environ['DATABASE_URL'])\n"
    again = look(files).manifest
    assert again is not None
    assert again.migrate is not None
    assert again.migrate.command.endswith("alembic upgrade head")


@pytest.mark.parametrize(("down", "head"), [("'a'", "head"), ("None", "heads")])
def test_revisions_that_end_in_several_are_all_upgraded_to(look: Look, down: str, head: str) -> None:
    files = {
        "main.py": FASTAPI,
        "alembic.ini": "[alembic]\nscript_location = migrations\nprepend_sys_path = .\n",
        "migrations/versions/1.py": "revision = 'a'\ndown_revision: str | None = None\n",
        "migrations/versions/2.py": f"revision: str = 'b'\ndown_revision = {down}\n",
        "requirements.txt": "fastapi\nuvicorn\nalembic\n",
    }
    manifest = look(files).manifest
    assert manifest is not None
    assert manifest.migrate is not None
    assert manifest.migrate.command == f"alembic upgrade {head}"


def test_an_address_in_the_code_cannot_be_given(look: Look) -> None:
    files = {
        "main.py": FASTAPI + 'engine = create_engine("postgresql://me:pw@localhost/shop")\n',
        "requirements.txt": "fastapi\nuvicorn\npsycopg\n",
        "compose.yml": "services:\n  db:\n    image: postgres:16\n",
    }
    (problem,) = look(files).problems
    assert (problem.code, problem.where) == ("detect.database-fixed", "main.py:3")


def express(**more: str) -> dict[str, str]:
    package = '{"scripts": {"start": "node server.js"}, "dependencies": {"express": "4", "pg": "8"}}'
    return {"package.json": package, "package-lock.json": "{}", **{k.replace("__", "."): v for k, v in more.items()}}


@pytest.mark.parametrize(
    ("source", "command"),
    [
        ("app.listen(process.env.PORT)", "node --require ./.underway/listen.cjs server.js"),
        (
            "app.listen(process.env.APP_PORT || 3000)",
            "APP_PORT=$PORT node --require ./.underway/listen.cjs server.js",
        ),
        (
            "app.listen(process.env.APP_PORT || process.env.PORT)",
            "node --require ./.underway/listen.cjs server.js",
        ),
    ],
)
def test_the_variable_that_names_the_port(look: Look, source: str, command: str) -> None:
    manifest = look(express(server__js=source)).manifest
    assert manifest is not None
    assert manifest.processes["web"].command == command


def test_what_copying_the_example_would_set(look: Look) -> None:
    source = (
        "app.listen(process.env.PORT); const a = process.env.API_PREFIX, b = process.env.LOG_LEVEL || 'info', "
        "c = process.env.SITE_URL, d = process.env.MAIL_TOKEN"
    )
    example = "API_PREFIX=api\nLOG_LEVEL=debug\nSITE_URL=http://localhost:3000\nMAIL_TOKEN=abc\n"
    manifest = look({**express(server__js=source), "env-example-local": example}).manifest
    assert manifest is not None
    assert manifest.env["API_PREFIX"] == EnvVar(value="api")
    assert not {"LOG_LEVEL", "MAIL_TOKEN"} & manifest.env.keys()


def test_what_typescript_says_is_never_undefined_is_required(look: Look) -> None:
    source = "app.listen(process.env.PORT)\nnew Stripe(process.env.STRIPE_SECRET_KEY!)\n"
    (problem,) = look(express(server__js="", pay__ts=source)).problems
    assert (problem.code, problem.where) == ("detect.env-missing", "pay.ts:2")


def test_prismas_sqlite_file_outlives_releases(look: Look) -> None:
    schema = 'datasource db {\n  provider = "sqlite"\n  url = env("DATABASE_URL")\n}\n'
    manifest = look({**express(server__js="process.env.PORT"), "prisma/schema.prisma": schema}).manifest
    assert manifest is not None
    assert manifest.shared == ("prisma/data.db",)
    assert manifest.env["DATABASE_URL"] == EnvVar(value="file:./data.db")


KIT = '{"scripts": {"build": "vite build"}, "devDependencies": {"@sveltejs/kit": "^2.5", "vite": "5"}}'


def test_sveltekit_for_another_host_is_built_for_this_one(look: Look) -> None:
    config = "import adapter from '@sveltejs/adapter-vercel';\n"
    secret = "import {\n  API_SECRET\n} from '$env/static/private'\n"
    found = look({"package.json": KIT, "svelte.config.js": config, "src/lib/server/api.ts": secret})
    assert found.manifest is not None
    assert found.manifest.processes["web"].command == "node build"
    assert found.manifest.env["API_SECRET"].generate == "urlsafe"
    installed, named, late, built = found.manifest.build.commands
    assert installed.endswith("--prefix .underway/adapter @sveltejs/adapter-node@5")
    assert named.startswith("sed -i 's#@sveltejs/adapter-vercel#./.underway/adapter/")
    assert (late, built) == ("node .underway/kit_env.cjs src", "NODE_ENV=production npm run build")
    assert [c.evidence for c in found.claims if "for Vercel" in c.says] == ["svelte.config.js:1"]


def test_sveltekit_that_needs_its_host_is_told(look: Look) -> None:
    config = "import adapter from '@sveltejs/adapter-cloudflare';\n"
    page = "export const load = async ({ platform }) =>\n  platform?.env.DB.prepare('select 1')\n"
    files = {"package.json": KIT, "svelte.config.js": config, "src/routes/+page.server.ts": page}
    (problem,) = look(files).problems
    assert (problem.code, problem.where) == ("detect.adapter", "src/routes/+page.server.ts:2")


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("f'postgresql+asyncpg://{s.POSTGRES_USER}:{s.POSTGRES_PASSWORD}@{s.POSTGRES_HOST}:5432/{s.POSTGRES_DB}'",
         ["config.py:8"]),
        ("f'postgresql://{s.POSTGRES_USER}:{s.POSTGRES_PASSWORD}@{s.POSTGRES_HOST}:{s.POSTGRES_PORT}/{s.POSTGRES_DB}'",
         []),
    ],
)  # fmt: skip
def test_a_port_of_the_database_that_is_written_into_its_address(look: Look, address: str, where: list[str]) -> None:
    names = ("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_HOST", "POSTGRES_DB")
    fields = "".join(f"    {name}: str\n" for name in (*names, *(["POSTGRES_PORT"] if not where else [])))
    files = {
        "main.py": "from fastapi import FastAPI\nimport config\napp = FastAPI()\n",
        "config.py": "from pydantic_settings import BaseSettings\n"
        f"class S(BaseSettings):\n{fields}s = S()\nURL = {address}",
        "requirements.txt": "fastapi\nasyncpg\nsqlalchemy\npydantic-settings\n",
    }
    found = [p.where for p in look(files).problems if p.code == "detect.database-fixed"]
    assert found == where
