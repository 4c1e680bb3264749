"""One small tree for each tool by name: what migrates, what reads settings, what is built, what works beside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from underway.detect import Detection
from underway.manifest.model import Manifest, Static

Look = Callable[[Mapping[str, str]], Detection]

FASTAPI = "import os\nfrom fastapi import FastAPI\napp = FastAPI()\n"
SERVER = "const url = process.env.DATABASE_URL;\napp.listen(process.env.PORT);\n"


def drafted(detection: Detection) -> Manifest:
    assert detection.manifest is not None, detection.problems
    return detection.manifest


def node(*packages: str, dev: tuple[str, ...] = (), start: str = "node server.js", **files: str) -> dict[str, str]:
    """A Node project with these packages; `files` have `__` for a slash and `_dot_` for a dot."""
    scripts = {"start": start, "build": "vite build"} if "vite" in dev else {"start": start}
    whole = {
        "name": "shop",
        "scripts": scripts,
        "dependencies": dict.fromkeys(packages, "1"),
        "devDependencies": dict.fromkeys(dev, "1"),
    }
    named = {name.replace("__", "/").replace("_dot_", "."): text for name, text in files.items()}
    return {"package.json": json.dumps(whole, indent=1), "package-lock.json": "{}", "server.js": SERVER, **named}


@pytest.mark.parametrize(
    ("files", "command"),
    [
        pytest.param(
            {
                "main.py": FASTAPI + "X = os.environ['DATABASE_URL']\nTORTOISE = {}\n",
                "pyproject.toml": '[project]\nname = "x"\n'
                'dependencies = ["fastapi", "uvicorn", "tortoise-orm[asyncpg]", "aerich"]\n'
                '[tool.aerich]\ntortoise_orm = "main.TORTOISE"\n',
                "uv.lock": "",
                "migrations/models/0_20240101_init.py": "",
            },
            "aerich upgrade",
            id="aerich",
        ),
        pytest.param(
            node("express", "pg", "knex", knexfile_dot_js="module.exports = {client: 'pg'}\n"),
            "node_modules/.bin/knex migrate:latest --env production",
            id="knex",
        ),
        pytest.param(
            node(
                "express", "drizzle-orm", "postgres", dev=("drizzle-kit",),
                drizzle_dot_config_dot_ts="export default {}\n", drizzle__meta___journal_dot_json="{}",
            ),
            "node_modules/.bin/drizzle-kit migrate",
            id="drizzle",
        ),
        pytest.param(
            node("express", "sequelize", "pg", dev=("sequelize-cli",))
            | {"migrations/20240102030405-create-shop.js": ""},
            "node_modules/.bin/sequelize-cli db:migrate",
            id="sequelize",
        ),
        pytest.param(
            node("express", "@prisma/client", dev=("prisma",))
            | {
                "prisma/schema.prisma": 'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\n',
                "prisma/migrations/1_init/migration.sql": "",
            },
            "node_modules/.bin/prisma migrate deploy",
            id="prisma",
        ),
    ],
)  # fmt: skip
def test_what_migrates(look: Look, files: dict[str, str], command: str) -> None:
    manifest = drafted(look(files))
    assert manifest.migrate is not None
    assert manifest.migrate.command == command
    assert manifest.services.postgres is not None


CONVICT = """const config = convict({
  payments: {format: String, default: null, env: 'STRIPE_API_KEY'},
  title: {format: String, default: 'Shop', env: 'SHOP_TITLE'},
  session: {format: String, default: null, env: 'SESSION_SECRET'},
});
config.validate();
"""
ZOD = """export const env = z.object({
  STRIPE_API_KEY: z.string(),
  SHOP_TITLE: z.string().default('Shop'),
  SESSION_SECRET: z.string().min(32),
}).parse(process.env);
"""
ENVALID = """cleanEnv(process.env, {
  STRIPE_API_KEY: str(),
  SHOP_TITLE: str({default: 'Shop'}),
  SESSION_SECRET: str(),
});
"""
JOI = """validationSchema: Joi.object({
  STRIPE_API_KEY: Joi.string().required(),
  SHOP_TITLE: Joi.string().default('Shop'),
  SESSION_SECRET: Joi.string().required(),
}), // of process.env
"""
DECOUPLE = "from decouple import config\nA = config('STRIPE_API_KEY')\nB = config('SHOP_TITLE', default='Shop')\n"
ENVIRON = "import environ\nenv = environ.Env()\nA = env('STRIPE_API_KEY')\nB = env('SHOP_TITLE', default='Shop')\n"


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(node("express", "convict", config_dot_js=CONVICT), id="convict"),
        pytest.param(node("express", "zod", env_dot_ts=ZOD), id="zod"),
        pytest.param(node("express", "envalid", env_dot_js=ENVALID), id="envalid"),
        pytest.param(node("express", "joi", env_dot_ts=JOI), id="joi"),
        pytest.param(
            {"main.py": FASTAPI, "settings.py": DECOUPLE + "C = config('SESSION_SECRET')\n",
             "requirements.txt": "fastapi\nuvicorn\npython-decouple\n"},
            id="decouple",
        ),
        pytest.param(
            {"main.py": FASTAPI, "settings.py": ENVIRON + "C = env('SESSION_SECRET')\n",
             "requirements.txt": "fastapi\nuvicorn\ndjango-environ\n"},
            id="django-environ",
        ),
    ],
)  # fmt: skip
def test_settings_are_asked_for_made_or_left_to_their_default(look: Look, files: dict[str, str]) -> None:
    detection = look(files)
    assert [p.remedy for p in detection.problems] == ['add to underway.toml, under [env]: STRIPE_API_KEY = "…"']
    env = drafted(detection).env
    assert env["SESSION_SECRET"].generate == "urlsafe"
    assert "SHOP_TITLE" not in env


SVELTE = ("@sveltejs/kit", "vite")


def svelte(adapter: str, options: str = "") -> dict[str, str]:
    config = f"import adapter from '{adapter}';\nexport default {{kit: {{adapter: adapter({options})}}}};\n"
    return node(dev=(*SVELTE, adapter), start="vite dev", svelte_dot_config_dot_js=config)


def test_sveltekit_with_a_server(look: Look) -> None:
    manifest = drafted(look(svelte("@sveltejs/adapter-node")))
    assert manifest.processes["web"].command == "node build"
    assert manifest.static is None
    assert (manifest.env["HOST"].value, manifest.env["ORIGIN"].value) == ("127.0.0.1", "${url}")
    named = drafted(look(svelte("@sveltejs/adapter-node", "{out: 'made'}")))
    assert named.processes["web"].command == "node made"


def test_sveltekit_as_files(look: Look) -> None:
    manifest = drafted(look(svelte("@sveltejs/adapter-static", "{fallback: '200.html'}")))
    assert manifest.static == Static("build", spa=True)
    assert "web" not in manifest.processes
    pages = drafted(look(svelte("@sveltejs/adapter-static", "{pages: 'site'}")))
    assert pages.static == Static("site")


def test_nest_is_started_as_built_with_the_port_it_is_given(look: Look) -> None:
    files = node("@nestjs/core", dev=("@nestjs/cli",), start="nest start", src__main_dot_ts=SERVER)
    package = json.loads(files["package.json"])
    package["scripts"] |= {"build": "nest build", "start:prod": "node dist/main"}
    manifest = drafted(look({**files, "package.json": json.dumps(package)}))
    assert manifest.processes["web"].command == "node --require ./.underway/listen.cjs dist/main"
    assert manifest.build.node is not None
    assert manifest.build.node.script == "build"


def test_quart_is_served_by_an_asgi_server_that_is_added(look: Look) -> None:
    detection = look({"app.py": "from quart import Quart\napp = Quart(__name__)\n", "requirements.txt": "quart\n"})
    manifest = drafted(detection)
    assert manifest.processes["web"].command == "uvicorn app:app --host 127.0.0.1 --port $PORT"
    assert manifest.build.python is not None
    assert manifest.build.python.extra == ("uvicorn",)
    assert any("uvicorn is added" in claim.says for claim in detection.claims)


def test_a_queue_of_rq_that_nothing_works_on_gets_a_worker(look: Look) -> None:
    source = "import os\nimport rq\nfrom flask import Flask\nfrom redis import Redis\napp = Flask(__name__)\n"
    source += "mails = rq.Queue('mails', connection=Redis.from_url(os.environ['REDIS_URL']))\n"
    detection = look({"app.py": source, "requirements.txt": "flask\ngunicorn\nrq\nredis\n"})
    assert drafted(detection).processes["worker"].command == "rq worker mails --url $REDIS_URL"
    assert any(c.evidence == "app.py:6" for c in detection.claims if c.about == "worker")


@pytest.mark.parametrize(
    "root",
    [
        pytest.param({"package.json": '{"workspaces": ["apps/*"]}', "package-lock.json": "{}"}, id="npm"),
        pytest.param(
            {"package.json": "{}", "pnpm-workspace.yaml": "packages: [apps/*]\n", "pnpm-lock.yaml": "{}"}, id="pnpm"
        ),
        pytest.param({"package.json": '{"workspaces": ["apps/*"]}', "yarn.lock": "__metadata:\n"}, id="yarn-berry"),
        pytest.param({"package.json": '{"workspaces": ["apps/*"]}', "bun.lock": "{}"}, id="bun"),
    ],
)
def test_an_app_of_a_workspace_is_run_where_it_is_with_its_front_end(
    look: Look, root: dict[str, str], request: pytest.FixtureRequest
) -> None:
    api = {"name": "api", "scripts": {"start": "node index.js"}, "dependencies": {"express": "4"}}
    web = {"name": "web", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "5"}}
    detection = look(
        {
            **root,
            "apps/api/package.json": json.dumps(api),
            "apps/api/index.js": SERVER,
            "apps/web/package.json": json.dumps(web),
            "apps/web/index.html": "",
        }
    )
    manifest = drafted(detection)
    assert manifest.processes["web"].cwd == "apps/api"
    assert manifest.build.node is not None
    assert manifest.build.node.dir == "apps/api"
    assert manifest.build.node.manager == request.node.callspec.id.partition("-")[0]
    assert manifest.build.front_end == replace(manifest.build.node, dir="apps/web", script="build")
    assert manifest.static == Static("apps/web/dist", spa=True)
