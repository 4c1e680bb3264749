"""Node servers, front ends, folders of files, and what is none of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection, Machine, detect
from underway.manifest.build import NodeBuild
from underway.manifest.model import Manifest, Static
from underway.terms.tree import Tree

Look = Callable[[Mapping[str, str]], Detection]
Plant = Callable[[Mapping[str, str]], Tree]


def package(*, lock: str = "package-lock.json", folder: str = "", **keys: object) -> dict[str, str]:
    inside = f"{folder}/" if folder else ""
    return {f"{inside}package.json": json.dumps({"name": "shop", **keys}, indent=2), f"{inside}{lock}": ""}


def drafted(detection: Detection) -> Manifest:
    assert detection.manifest is not None, detection.problems
    return detection.manifest


EXPRESS = {"express": "4"}
VITE = {"devDependencies": {"vite": "5"}, "scripts": {"build": "vite build", "dev": "vite"}}


@pytest.mark.parametrize(
    ("files", "command"),
    [
        (package(dependencies=EXPRESS, scripts={"start": "node server.js"}), "node server.js"),
        (
            package(dependencies=EXPRESS, scripts={"start": "NODE_ENV=production node src/index.js"}),
            "node src/index.js",
        ),
        (package(dependencies=EXPRESS, scripts={"start": "nodemon x", "start:prod": "node x"}), "node x"),
        (
            package(dependencies=EXPRESS, scripts={"start": "nest start", "start:prod": "node dist/main"}),
            "node dist/main",
        ),
        (package(dependencies=EXPRESS, scripts={"start": "nodemon x", "prod": "tsx x"}), "npm run prod"),
        (
            package(dependencies=EXPRESS, scripts={"start": "npm run build && node dist/s.js", "build": "tsc"}),
            "node dist/s.js",
        ),
        ({**package(dependencies=EXPRESS, main="./lib/app.js"), "lib/app.js": ""}, "node lib/app.js"),
        ({**package(dependencies=EXPRESS, lock="yarn.lock", scripts={"start": "tsx src/main.ts"})}, "npm start"),
        (
            {
                **package(dependencies=EXPRESS, scripts={"start": "pm2 start eco.json"}),
                "eco.json": '{"apps": [{"script": "src/a.js"}]}',
                "src/a.js": "",
            },
            "node src/a.js",
        ),
        (
            package(dependencies={"next": "15"}, scripts={"build": "next build"}),
            "node_modules/.bin/next start -H 127.0.0.1 -p $PORT",
        ),
        (
            {
                **package(dependencies={"next": "15"}, scripts={"build": "next build"}),
                "next.config.mjs": "export default {\n  output: 'standalone',\n}",
            },
            "node .next/standalone/server.js",
        ),
        (package(dependencies=EXPRESS, scripts={"start": "npm run serve", "serve": "node a.js"}), "node a.js"),
        ({**package(dependencies=EXPRESS), "Procfile": "web: node dist/main.js\n"}, "node dist/main.js"),
    ],
)
def test_node_servers(look: Look, files: dict[str, str], command: str) -> None:
    files = {**files, "listens.js": "app.listen(process.env.PORT)"}
    node = "node --require ./.underway/listen.cjs "
    other = 'NODE_OPTIONS="--require=$PWD/.underway/listen.cjs $NODE_OPTIONS" '
    wanted = re.sub(r"^node (?!\.next)", node, command) if " start -H" not in command else command
    wanted = other + command if command.startswith(("npm", "yarn")) else wanted
    assert drafted(look(files)).processes["web"].command == wanted


@pytest.mark.parametrize(
    ("lock", "manager"),
    [("package-lock.json", "npm"), ("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun")],
)
def test_node_managers_follow_the_lock(look: Look, lock: str, manager: str) -> None:
    manifest = drafted(look(package(dependencies=EXPRESS, lock=lock, scripts={"start": "node a.js", "build": "tsc"})))
    assert manifest.build.node == NodeBuild(manager, script="build")


def test_a_server_that_nothing_starts_is_told(look: Look) -> None:
    detection = look(package(dependencies=EXPRESS))
    assert detection.manifest is None
    (problem,) = detection.problems
    assert (problem.code, problem.where) == ("detect.no-start", "package.json:4")


def test_node_health_and_settings(look: Look) -> None:
    source = (
        "const { SESSION_SECRET } = process.env\nconst url = process.env.DATABASE_URL || 'postgres://localhost/x'\n"
        "const schema = { JWT_SECRET: Joi.string().required(), API_TOKEN: Joi.string().required(), "
        "LEVEL: Joi.string() }\n"
        "app.get('/healthz', (q, r) => r.send('ok'))\n"
    ).replace(", ", ",\n  ")
    files = {**package(dependencies={**EXPRESS, "pg": "8"}, scripts={"start": "node app.js"}), "app.js": source}
    detection = look(files)
    manifest = drafted(detection)
    assert manifest.health.path == "/healthz"
    assert manifest.services.postgres is not None
    assert manifest.env["JWT_SECRET"].generate == "urlsafe"
    assert [p.code for p in detection.problems] == ["detect.env-missing"]
    assert "API_TOKEN" in detection.problems[0].why


def test_prisma(look: Look) -> None:
    files = {
        **package(dependencies={**EXPRESS, "@prisma/client": "5", "prisma": "5"}, scripts={"start": "node a.js"}),
        "prisma/schema.prisma": 'datasource db {\n  provider = "postgresql"\n  url = env("POSTGRES_PRISMA_URL")\n}\n',
        "prisma/migrations/1/migration.sql": "",
    }
    manifest = drafted(look(files))
    assert manifest.migrate is not None
    assert manifest.migrate.command.endswith("prisma migrate deploy")
    assert manifest.services.postgres is not None
    assert dict(manifest.services.postgres.env) == {"POSTGRES_PRISMA_URL": "url"}


@pytest.mark.parametrize(
    ("files", "static"),
    [
        (package(**VITE), Static("dist", spa=True)),
        (
            {**package(**VITE), "vite.config.ts": "export default { build: { outDir: 'out/web' } }"},
            Static("out/web", spa=True),
        ),
        (
            package(dependencies={"react-scripts": "5"}, scripts={"build": "react-scripts build"}),
            Static("build", spa=True),
        ),
        (package(devDependencies={"astro": "4"}, scripts={"build": "astro build"}), Static("dist")),
        ({"index.html": ""}, Static(".")),
        ({"public/index.html": "", "public/app.wasm": ""}, Static("public")),
        ({"README.md": "", "site/index.html": "", "site/docs/index.html": ""}, Static("site")),
    ],
)
def test_static_apps(look: Look, files: dict[str, str], static: Static) -> None:
    manifest = drafted(look(files))
    assert manifest.static == static
    assert not manifest.processes


API = {
    "backend/main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
    "backend/requirements.txt": "fastapi\nuvicorn\n",
}


def test_a_front_end_beside_an_api_is_served_on_the_same_origin(look: Look) -> None:
    files = {**API, **package(folder="frontend", **VITE), "frontend/index.html": ""}
    manifest = drafted(look(files))
    assert manifest.static == Static("frontend/dist", spa=True)
    assert manifest.build.node == NodeBuild("npm", dir="frontend", script="build")
    assert manifest.processes["web"].cwd == "backend"


def test_a_build_tool_beside_an_api_is_no_front_end(look: Look) -> None:
    manifest = drafted(look({**API, **package(folder="assets", **VITE)}))
    assert manifest.static is None


def test_node_that_is_not_here_is_told(plant: Plant) -> None:
    tree = plant(package(dependencies=EXPRESS, scripts={"start": "node a.js"}))
    assert [p.code for p in detect(tree, machine=Machine()).problems] == ["detect.node-missing"]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README.md": "# A library"},
        {"pyproject.toml": '[project]\nname = "lib"\ndependencies = []\n', "lib/__init__.py": "def add(a, b): ...\n"},
        package(scripts={"test": "jest"}),
        {"main.go": "package main"},
    ],
)
def test_what_is_no_app_is_told_with_what_was_looked_for(look: Look, files: dict[str, str]) -> None:
    detection = look(files)
    assert detection.manifest is None
    (problem,) = detection.problems
    assert problem.code == "detect.no-app"
    assert problem.where.startswith("shop (")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("My Shop_2", "my-shop-2"),
        ("42-shop", "shop"),
        ("2048", "app-2048"),
        ("Überladen", "berladen"),
        ("backend", "letters"),
        ("///", "letters"),
        ("a" * 80, "a" * 40),
    ],
)
def test_the_folder_names_the_app(folder: str, name: str) -> None:
    files = {
        "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
        "pyproject.toml": '[project]\nname = "letters"\ndependencies = ["fastapi", "uvicorn"]\n',
    }
    tree = Tree(name=folder, paths=tuple(sorted(files)), texts=files)
    assert drafted(detect(tree, machine=Machine())).app == name


def test_a_json_schema_that_demands_mysql_is_told_before_anything_is_built(look: Look) -> None:
    schema = """import env from '@fastify/env'
const schema = {
  required: ['MYSQL_USER', 'MYSQL_PORT', 'COOKIE_SECRET'],
  properties: {
    MYSQL_USER: { type: 'string' },
    MYSQL_PORT: { type: 'number', default: 3306 },
    COOKIE_SECRET: { type: 'string' }
  }
}
"""
    files = package(dependencies={"fastify": "5"}, scripts={"start": "node server.js"})
    detection = look({**files, "src/env.js": schema, ".env.example": "MYSQL_USER=me\n"})
    assert [(p.where, p.why) for p in detection.problems] == [
        ("src/env.js:5", "the app needs MySQL at MYSQL_USER, and Underway does not provide MySQL")
    ]
    assert drafted(detection).env["COOKIE_SECRET"].generate == "urlsafe"
    assert "MYSQL_PORT" not in drafted(detection).env


@pytest.mark.parametrize(
    ("server", "fixed", "evidence"),
    [
        ("app.listen(3000);", "3000", "server.js:1"),
        ("app.listen({ port: 3000 });", "3000", "server.js:1"),
        ("// PORT\nconst PORT = 5173;\napp.listen(PORT, () => {});", "5173", "server.js:2"),
        ("app.listen(config.get('port'));", "first", ""),
        ("app.listen(process.env.PORT || 3000);", "", ""),
        ("const { PORT } = process.env;\napp.listen(3000);", "", ""),
        ("const schema = { PORT: z.coerce.number() };\napp.listen(env.port);", "", ""),
    ],
)
def test_a_server_with_a_port_of_its_own_gets_another(look: Look, server: str, fixed: str, evidence: str) -> None:
    files = package(dependencies=EXPRESS, scripts={"start": "node server.js"})
    detection = look({**files, "server.js": server, "test/app.test.js": "app.listen(4000)"})
    command = drafted(detection).processes["web"].command
    given = f"UNDERWAY_FIXED_PORT={fixed} " if fixed else ""
    assert command == f"{given}node --require ./.underway/listen.cjs server.js"
    told = [c.evidence for c in detection.claims if "listen" in c.says and c.about == "server" and "listens" in c.says]
    assert told == ([evidence] if fixed else [])


@pytest.mark.parametrize(
    ("scripts", "dockerfile", "runs"),
    [
        ({"start": "bun run src/index.ts"}, "", "bun run start"),
        ({"dev": "bun run --watch src/index.ts"}, "", "bun src/index.ts"),
        ({}, 'FROM oven/bun:1\nCMD ["bun", "run", "src/index.ts"]\n', "bun run src/index.ts"),
    ],
)
def test_a_server_of_buns_gets_the_port_that_it_does_not_ask_for(
    look: Look, scripts: dict[str, str], dockerfile: str, runs: str
) -> None:
    files = package(dependencies={"elysia": "1"}, lock="bun.lock", scripts=scripts)
    files |= {"Dockerfile": dockerfile} if dockerfile else {}
    detection = look({**files, "src/index.ts": "new Elysia().listen(3000);"})
    assert detection.problems == ()
    preload = 'BUN_OPTIONS="--preload=$PWD/.underway/listen.cjs $BUN_OPTIONS"'
    assert drafted(detection).processes["web"].command == f"UNDERWAY_FIXED_PORT=3000 {preload} {runs}"


@pytest.mark.parametrize(
    ("server", "static"),
    [
        ("app.use(express.json()); app.listen(process.env.PORT)", Static("client/build", spa=True)),
        ("app.use(express.static('client/build')); app.listen(process.env.PORT)", None),
        ("app.use(express.static(path.join(__dirname, '..', 'client', 'build'))); listen(process.env.PORT)", None),
    ],
)
def test_a_front_end_beside_a_node_server_is_built_too(look: Look, server: str, static: Static | None) -> None:
    react = {"dependencies": {"react-scripts": "5"}, "scripts": {"build": "react-scripts build"}}
    files = {
        **package(dependencies=EXPRESS, scripts={"start": "node server/index.js"}),
        "server/index.js": server,
        **package(folder="client", lock="yarn.lock", **react),
        "client/public/index.html": "<link href='%PUBLIC_URL%/icon.png'>",
    }
    manifest = drafted(look(files))
    assert manifest.build.node == NodeBuild("npm")
    assert manifest.build.front_end == NodeBuild("yarn", dir="client", script="build")
    assert manifest.static == static


def test_a_front_end_around_an_api_is_built_and_its_template_is_not_served(look: Look) -> None:
    """The layout of Create React App with an API below it."""
    react = {"dependencies": {"react-scripts": "3"}, "scripts": {"build": "react-scripts build"}}
    files = {
        **package(lock="yarn.lock", **react),
        "public/index.html": "<link href='%PUBLIC_URL%/icon.png'>",
        "api/api.py": "from flask import Flask\napp = Flask(__name__)\n",
        "api/requirements.txt": "flask\n",
    }
    manifest = drafted(look(files))
    assert manifest.build.node == NodeBuild("yarn", script="build")
    assert manifest.static == Static("build", spa=True)
    assert manifest.processes["web"].cwd == "api"


@pytest.mark.parametrize(
    ("main", "folder"),
    [("", "frontend"), ("app.mount('/', StaticFiles(directory='../frontend', html=True))\n", None)],
)
def test_pages_beside_an_api_are_served_unless_it_serves_them(look: Look, main: str, folder: str | None) -> None:
    api = "from fastapi import FastAPI\nfrom fastapi.staticfiles import StaticFiles\napp = FastAPI()\n"
    files = {"backend/main.py": api + main, "backend/requirements.txt": "fastapi\nuvicorn\n"}
    manifest = drafted(look({**files, "frontend/index.html": "<h1>Hi</h1>"}))
    assert (manifest.static.dir if manifest.static else None) == folder


def test_a_migration_is_run_without_the_manager_that_its_script_names(look: Look) -> None:
    """The machine may have no yarn: the build brings its own, and is over when the migration runs."""
    files = {
        **package(
            dependencies={**EXPRESS, "pg": "8", "drizzle-kit": "1"},
            lock="yarn.lock",
            scripts={"start": "node s.js", "migration:run": "yarn drizzle-kit migrate --config=src/d.ts"},
        ),
        "s.js": "",
    }
    migrate = drafted(look(files)).migrate
    assert migrate is not None
    assert migrate.command == "node_modules/.bin/drizzle-kit migrate --config=src/d.ts"


def test_functions_that_read_a_variable_by_its_name_are_followed_over_files(look: Look) -> None:
    reader = (
        "export const env = (key: string, other?: string) => process.env[key] ?? other;\n"
        "export const mandatoryEnv = (key: string) => { const v = env(key); if (!v) throw Error(key); return v; };\n"
    )
    files = {
        **package(dependencies={**EXPRESS, "pg": "8"}, scripts={"start": "node s.js"}),
        "s.js": "",
        "src/env.ts": reader,
        "src/db.ts": "import { env, mandatoryEnv } from './env';\n"
        "const host = mandatoryEnv('DB_HOST'), name = mandatoryEnv('DB_NAME'), s = env('DB_SCHEMA', 'x');",
    }
    postgres = drafted(look(files)).services.postgres
    assert postgres is not None
    assert dict(postgres.env) == {"DB_HOST": "host", "DB_NAME": "database"}


@pytest.mark.parametrize(
    ("source", "is_moved"),
    [
        ("new Sequelize({host: process.env.DB_HOST, database: process.env.DB_NAME})", True),
        ("new Sequelize({host: process.env.DB_HOST, port: process.env.DB_PORT, database: process.env.DB_NAME})", False),
    ],
)
def test_an_app_that_is_told_no_port_of_its_database_is_taken_to_its_own(
    look: Look, source: str, is_moved: bool
) -> None:
    scripts = {"start": "node s.js", "db:migrate": "sequelize-cli db:migrate"}
    dependencies = {**EXPRESS, "pg": "8", "sequelize": "6", "sequelize-cli": "6"}
    manifest = drafted(look({**package(dependencies=dependencies, scripts=scripts), "s.js": source}))
    assert manifest.services.postgres is not None
    assert manifest.migrate is not None
    assert ("UNDERWAY_POSTGRES_PORT" in manifest.services.postgres.env) == is_moved
    assert (".underway/listen.cjs" in manifest.migrate.command) == is_moved


def test_what_the_start_script_compiles_first_is_compiled_in_the_build(look: Look) -> None:
    files = package(dependencies=EXPRESS, scripts={"start": "tsc -p . && node build/index.js"}, folder="api")
    manifest = drafted(look(files))
    assert manifest.processes["web"].command.endswith(" build/index.js")
    assert manifest.build.commands == ("cd api && npx --no-install tsc -p .",)
