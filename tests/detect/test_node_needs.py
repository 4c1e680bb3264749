"""What a Node server needs and how it is started: a small tree for each rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest

Look = Callable[[Mapping[str, str]], Detection]

COMPOSE = "services:\n  {}:\n    build: .\n    command: {}\n"
USER = {"REDISUSER": EnvVar(value="default")}
SECRET = {"ACCESS_TOKEN_SECRET": EnvVar(generate="urlsafe", secret=True)}
START = {"start": "node s.js"}


def app(source: str = "", *, needs: str = "pg", dev: str = "", scripts: object = START, **files: str) -> dict[str, str]:
    packages = dict.fromkeys(["express", *needs.split()], "1")
    told = {"dependencies": packages, "devDependencies": dict.fromkeys(dev.split(), "1"), "scripts": scripts}
    named = {name.replace("__", "/").replace("_dot_", "."): text for name, text in files.items()}
    return {"package.json": json.dumps(told, indent=1), "package-lock.json": "", "s.js": source, **named}


def drafted(detection: Detection) -> Manifest:
    assert detection.manifest is not None, detection.problems
    return detection.manifest


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import { sql } from '@vercel/postgres'\n", "POSTGRES_URL"),
        ("import { neon } from '@neondatabase/serverless'\nneon(process.env.DB_URL!)\n", "DB_URL"),
        ("const { drizzle } = require('drizzle-orm/neon-http')\n", "DATABASE_URL"),
        ("import { Pool } from 'pg'; import { neon } from '@neondatabase/serverless'; process.env.DATABASE_URL", ""),
        ("import { neonConfig } from '@neondatabase/serverless'; neonConfig.wsProxy = process.env.DATABASE_URL", ""),
    ],
)
def test_a_driver_that_speaks_with_its_host_alone_is_no_postgresql(look: Look, source: str, name: str) -> None:
    needs = "pg postgres @vercel/postgres @neondatabase/serverless drizzle-orm"
    detection = look(
        app(
            "",
            needs=needs,
            db_dot_ts=source,
            run_dot_ts="import { migrate } from 'drizzle-orm/x/migrator'; import postgres from 'postgres'",
        )
    )
    assert [p.why for p in detection.problems] == (
        [f"the app needs Neon at {name}, and Underway does not provide Neon"] if name else []
    )
    assert (drafted(detection).services.postgres is None) == bool(name)


def test_half_of_a_key_is_whose_the_other_half_is(look: Look) -> None:
    asked = look(app("", s_dot_ts="new Store(process.env.VAULT_ACCESS_KEY!, process.env.VAULT_SECRET_KEY!)")).problems
    assert {p.why.split()[6] for p in asked} == {"VAULT_ACCESS_KEY,", "VAULT_SECRET_KEY,"}
    own = drafted(look(app("", s_dot_ts="sign(process.env.APP_SECRET!, process.env.APP_CLIENT_ID || 'x')")))
    assert own.env["APP_SECRET"].generate == "urlsafe"


def test_what_is_built_into_pages_is_no_secret(look: Look) -> None:
    kept = "key = process.env.NEXT_PUBLIC_ENCRYPTION_KEY || 'fallback-secret'; sign(process.env.JWT_SECRET)"
    manifest = drafted(look(app(kept)))
    assert "NEXT_PUBLIC_ENCRYPTION_KEY" not in manifest.env
    assert manifest.env["JWT_SECRET"].generate == "urlsafe"
    (problem,) = look(app("init(process.env.VITE_MAP_TOKEN!)", s_dot_ts="init(process.env.VITE_MAP_TOKEN!)")).problems
    assert problem.why.startswith("the app does not start without VITE_MAP_TOKEN")
    assert not problem.command, "it is no secret: a line of the manifest is the place for it"


@pytest.mark.parametrize(
    "files",
    [
        app("const pool = new Pool();"),
        app("const pool = new pg.Pool({});", needs="", dev="pg"),
        app("init({host: process.env.DB_HOST, port: process.env.DB_PORT})", needs="@mikro-orm/postgresql"),
    ],
)
def test_postgresql_is_given_by_whatever_client_the_app_has(look: Look, files: dict[str, str]) -> None:
    assert drafted(look(files)).services.postgres is not None


@pytest.mark.parametrize(
    "source",
    [
        "new Pool({\n user: 'root', host: 'localhost', database: 'shop', password: 'root', port: 5432 })",
        "export default { type: 'postgresql',\n user: 'a', password: 'b', dbName: 'shop', host: 'localhost' };",
        "const db = pgp(\n 'postgres://a:b@localhost:5432/shop');",
        "const s =\n new Sequelize('shop', 'a', 'b', { host: 'localhost', dialect: 'postgres' });",
    ],
)
def test_an_address_that_only_the_code_holds_is_refused_with_its_line(look: Look, source: str) -> None:
    (problem,) = look(app(source, needs="pg sequelize")).problems
    assert (problem.code, problem.where) == ("detect.database-fixed", "s.js:2")
    assert "process.env.DB_PASSWORD" in problem.remedy


@pytest.mark.parametrize(
    "source",
    [
        "const url = process.env.DATABASE_URL || 'postgres://a:b@localhost:5432/shop'; new Pool({url})",
        "// new Pool({ user: 'root', host: 'localhost', database: 'shop' })\nnew Pool({host: process.env.DB_HOST})",
        "const docs = { host: 'localhost' };",
    ],
)
def test_an_address_that_is_only_the_default_is_none_of_the_codes_own(look: Look, source: str) -> None:
    assert look(app(source)).problems == ()


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("const client = require('redis').createClient();", "redis"),
        ("const client = createClient({url: 'redis://localhost:6379'});", "redis"),
        (
            "const { Queue } = require('bullmq');\nnew Queue('mail', {connection: {host: 'localhost', port: 6379}})",
            "bullmq",
        ),
    ],
)
def test_a_redis_at_the_usual_port_is_the_apps_own(look: Look, source: str, needs: str) -> None:
    manifest = drafted(look(app(source, needs=needs)))
    assert manifest.services.redis is not None
    assert not manifest.services.redis.has_password
    assert dict(manifest.services.redis.env) == {"UNDERWAY_REDIS_PORT": "port"}


@pytest.mark.parametrize(
    ("schema", "env"),
    [
        ("envsafe({\n REDISHOST: str(),\n REDISUSER: str(),\n REDISPASSWORD: str(),\n})", USER),
        ("cleanEnv(e, {\n ACCESS_TOKEN_SECRET: str(),\n })", SECRET),
        ("envsafe({\n FEED_KEY: str({\n default: '',\n }),\n })", {}),
    ],
)  # fmt: skip
def test_schemas_of_settings_say_what_must_be_there(look: Look, schema: str, env: dict[str, EnvVar]) -> None:
    detection = look(app(schema, needs="envsafe envalid ioredis"))
    assert detection.problems == ()
    assert dict(drafted(detection).env) == env


@pytest.mark.parametrize(
    ("source", "is_asked"),
    [
        ("new GoogleStrategy({\n clientID: process.env.GOOGLE_CLIENT_ID })", True),
        (
            "if (process.env.GOOGLE_CLIENT_ID) use(new GoogleStrategy({\n clientID: process.env.GOOGLE_CLIENT_ID }))",
            False,
        ),
    ],
)
def test_a_strategy_of_passports_throws_without_its_clients_id(look: Look, source: str, is_asked: bool) -> None:
    assert [p.where for p in look(app(source)).problems] == ["s.js:2"] * is_asked


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("const db = new sqlitedb('./store.db', OPEN);", "store.db"),
        ("const file = './data/app.sqlite';\nnew Database(file)", "data/app.sqlite"),
        ("const db = new Database(path.join(__dirname, '..', 'data', 'shop.db'));", "data/shop.db"),
        ("session({ store: new SQLiteStore({ db: 'sessions.db', dir: '.' }) })", "sessions.db"),
    ],
)
def test_sqlite_files_outlive_releases(look: Look, source: str, where: str) -> None:
    files = {**app(needs="better-sqlite3"), "src/db.js": source}
    assert where in drafted(look(files)).shared


@pytest.mark.parametrize(
    ("scripts", "command"),
    [
        ({"start": "nodemon src/app.js"}, "src/app.js"),
        ({"start": "nodemon", "watch": "tsc --watch"}, "dist/app.js"),
        ({"dev": "nodemon --watch src --exec 'ts-node -r tsconfig-paths/register' src/app.ts"},
         "node_modules/.bin/ts-node -r tsconfig-paths/register src/app.ts"),
        ({"dev": "cross-env NODE_ENV=development tsx watch src/app.ts"}, "node_modules/.bin/tsx src/app.ts"),
        ({"dev": "bun run --hot src/app.ts"}, "bun src/app.ts"),
        ({"dev": "node --watch src/app.js"}, "src/app.js"),
    ],
)  # fmt: skip
def test_a_runner_that_watches_is_taken_off(look: Look, scripts: dict[str, str], command: str) -> None:
    files = {**app(scripts=scripts, dev="nodemon"), "nodemon.json": '{"exec": "node ./dist/app.js"}'}
    files = {
        (path if path != "s.js" else "src/app" + (".js" if "app.js" in command else ".ts")): text
        for path, text in files.items()
    }
    assert drafted(look(files)).processes["web"].command.endswith(command)


@pytest.mark.parametrize(
    ("main", "file", "line"), [("@nestjs/cli", "nest-cli.json", "nest build"), ("typescript", "tsconfig.json", "tsc")]
)
def test_what_starts_compiled_is_compiled_though_no_script_does(look: Look, main: str, file: str, line: str) -> None:
    files = {**app(scripts={"start:prod": "node dist/main"}, dev=main), file: "{}"}
    assert drafted(look(files)).build.commands == (f"npx --no-install {line}",)
    staged = {**app(scripts={"start": "NODE_ENV='prod' node dist/main.js"}, dev=main), file: "{}"}
    assert drafted(look(staged)).build.commands == (f"npx --no-install {line}",)


@pytest.mark.parametrize(
    ("scripts", "files"),
    [
        (START, {"Procfile": "web: node s.js\nworker: node jobs.js\n"}),
        ({**START, "start:jobs:dev": "nodemon jobs.js"},
         {"compose.yml": COMPOSE.format("worker", "npm run start:jobs:dev"), "Dockerfile": "FROM node"}),
        ({**START, "worker": "node jobs.js"}, {}),
    ],
)  # fmt: skip
def test_workers_of_a_queue_run_beside_the_web(look: Look, scripts: object, files: dict[str, str]) -> None:
    manifest = drafted(look({**app(needs="bullmq", scripts=scripts), "jobs.js": "", **files}))
    assert {n: p.command for n, p in manifest.processes.items() if n != "web"} == {"worker": "node jobs.js"}


@pytest.mark.parametrize(
    ("scripts", "files", "command"),
    [
        ({**START, "drizzle:migrate": "node migrate.js"}, {"drizzle.config.js": ""}, "npm run drizzle:migrate"),
        ({**START, "knex": "node --loader tsx ./node_modules/knex/bin/cli.js"}, {"knexfile.ts": ""},
         "npm run knex -- migrate:latest --env production"),
        (START, {"compose.yml": COMPOSE.format("db-migration", "node ./migrate.js /usr/src/app/sql"),
                 "Dockerfile": "FROM node", "migrate.js": ""}, "node ./migrate.js sql"),
        ({**START, "migrate:undo": "sequelize db:migrate:undo"}, {}, None),
        ({**START, "migration:create": "mikro-orm migration:create"}, {}, None),
    ],
)  # fmt: skip
def test_the_repositorys_own_way_to_migrate_wins(
    look: Look, scripts: object, files: dict[str, str], command: str | None
) -> None:
    found = drafted(look({**app("process.env.DATABASE_URL", needs="pg knex", scripts=scripts), **files})).migrate
    assert (found.command if found else None) == command


@pytest.mark.parametrize(("dev", "is_kept"), [("sequelize-cli", True), ("jest", False)])
def test_development_packages_are_kept_where_a_command_needs_one(look: Look, dev: str, is_kept: bool) -> None:
    scripts = {**START, "db:migrate": "sequelize-cli db:migrate"}
    manifest = drafted(look(app("process.env.DATABASE_URL", dev=dev, scripts=scripts)))
    assert manifest.build.node is not None
    assert manifest.build.node.development == is_kept


def test_a_port_of_another_server_is_not_the_apps_own(look: Look) -> None:
    files = {**app("app.listen(3000)", needs=""), "queue.js": "const at = { port: env.REDIS.PORT };"}
    assert drafted(look(files)).processes["web"].command.startswith("UNDERWAY_FIXED_PORT=3000 ")


def test_mysql_that_only_the_code_names_is_refused(look: Look) -> None:
    files = app("import { MikroORM } from '@mikro-orm/mysql';\nMikroORM.init();", needs="@mikro-orm/mysql")
    assert [(p.code, p.where) for p in look(files).problems] == [("detect.service-fixed", "s.js:1")]


@pytest.mark.parametrize(
    ("engines", "is_said"),
    [("12.x", True), ("^18.18.0", True), (">=14 <20", True), (">=14", False), ("16 || 20", False), ("<=20", False),
     ("20.x", False), ("", False), ("lts/*", False), ("14 - 22", False)],
)  # fmt: skip
def test_another_node_than_the_project_asks_for_is_said(look: Look, engines: str, is_said: bool) -> None:
    files = app(needs="")
    files["package.json"] = json.dumps({**json.loads(files["package.json"]), "engines": {"node": engines}})
    assert any(c.about == "node" for c in look(files).claims) == is_said


def test_nests_own_start_is_what_it_builds(look: Look) -> None:
    scripts = {"build": "nest build", "start": "nest start"}
    assert drafted(look(app(needs="@nestjs/core", scripts=scripts))).processes["web"].command.endswith(" dist/main")


def test_a_name_of_the_database_that_only_the_code_holds_is_refused(look: Look) -> None:
    source = (
        "module.exports = { development: {\n user: process.env.DB_USER, dialect: 'postgres',\n 'database': 'chat' } }"
    )
    (problem,) = look(app(source)).problems
    assert (problem.code, problem.where) == ("detect.database-fixed", "s.js:3")


@pytest.mark.parametrize(("more", "stage"), [("", "development"), ("\n production: {}", None)])
def test_settings_without_a_section_for_production(look: Look, more: str, stage: str | None) -> None:
    files = app("require('./config/config.js')[process.env.NODE_ENV || 'development']", needs="")
    files["config/config.js"] = f"module.exports = {{\n development: {{}},{more}\n}}"
    said = drafted(look(files)).env.get("NODE_ENV")
    assert (said.value if said else None) == stage


@pytest.mark.parametrize(("files", "commands"), [({}, ("touch .env",)), ({".env": ""}, ())])
def test_a_file_of_settings_that_must_be_there_is_made(
    look: Look, files: dict[str, str], commands: tuple[str, ...]
) -> None:
    manifest = drafted(look({**app("loadEnvFile('.env');", needs=""), **files}))
    assert manifest.build.commands == commands


@pytest.mark.parametrize(
    "test", ["names.filter((name) => !process.env[name])", "for (const name of names) if (!process.env[name])"]
)
def test_a_list_of_names_that_must_be_set_is_asked_for(look: Look, test: str) -> None:
    source = f"const names = ['SERVER_PORT',\n 'FEED_KEY'] as const;\n{test} throw new Error();"
    detection = look(app(source, needs=""))
    assert [(p.code, p.where) for p in detection.problems] == [("detect.env-missing", "s.js:2")]
    assert drafted(detection).processes["web"].command.startswith("SERVER_PORT=$PORT ")


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("const dataDir = env.DATA_DIR || path.join(rootDir, 'data');\nmkdir(dataDir)", ["data"]),
        ("const UPLOAD_DIR = path.join(__dirname, '..', 'uploads');\nfs.mkdirSync(UPLOAD_DIR)", ["uploads"]),
        ("const dataPath = path.join(__dirname, 'words.json');\nmkdir(x)", []),
        ("const dataDir = path.join(__dirname, '..', 'words');\nmkdir(x)", []),
    ],
)
def test_folders_that_the_app_makes_for_its_data_outlive_releases(look: Look, source: str, kept: list[str]) -> None:
    files = {**app(needs=""), "src/store.js": source, "words/one.json": "{}"}
    assert list(drafted(look(files)).shared) == kept


def test_typeorms_migrations_run_with_the_data_source_that_the_code_exports(look: Look) -> None:
    scripts = {"build": "nest build", "start:prod": "node dist/main"}
    files = {
        **app("process.env.DB_HOST + process.env.DB_PORT", needs="@nestjs/core pg typeorm", scripts=scripts),
        "src/config/db.ts": "export const AppDataSource = new DataSource({ type: 'postgres', migrations: [] });",
        "src/migrations/1680000000000-first.ts": "",
    }
    migrate = drafted(look(files)).migrate
    assert migrate is not None
    assert migrate.command == "node_modules/.bin/typeorm migration:run -d dist/config/db.js"


def test_a_front_end_of_webpacks_is_where_its_configuration_puts_it(look: Look) -> None:
    files = {
        "package.json": json.dumps({"devDependencies": {"webpack": "5"}, "scripts": {"build": "webpack"}}),
        "index.html": "",
        "webpack.config.js": "module.exports = { output: { path: path.resolve(__dirname, './public_html') } }",
    }
    static = drafted(look(files)).static
    assert static is not None
    assert static.dir == "public_html"


@pytest.mark.parametrize(
    ("ssl", "is_said"),
    [
        ("{ rejectUnauthorized: false }", True),
        ("isProduction ? { rejectUnauthorized: false } : false", True),
        ("process.env.NODE_ENV === 'production' ? { require: true, rejectUnauthorized: false } : false", True),
        ("process.env.DB_SSL === 'true'\n ? { rejectUnauthorized: false } : false", False),
        ("options.tls ? { rejectUnauthorized: false } : false", False),
        ("true", True),
        ("'require', max: 3", True),
        ("{ require: isProduction }", True),
        ("process.env.DB_SSL === 'true'", False),
        ("false, logging: true", False),
    ],
)
def test_a_demand_of_tls_from_the_database_is_taken_over(look: Look, ssl: str, is_said: bool) -> None:
    source = f"new Pool({{ connectionString: process.env.DATABASE_URL,\n ssl: {ssl} }});"
    detection = look(app(source))
    postgres = drafted(detection).services.postgres
    assert postgres is not None
    assert postgres.env == ({"UNDERWAY_POSTGRES_PORT": "port"} if is_said else {})
    assert [c.evidence for c in detection.claims if "TLS" in c.says] == ["s.js:2"] * is_said
    by_bun = look(app(source, scripts={"start": "bun run s.js"}))  # which loads no module before the app
    assert [(p.code, p.where) for p in by_bun.problems] == [("detect.database-fixed", "s.js:2")] * is_said


PAGES = {"react-scripts": "4", "express": "4"}
PAGES_AND_SERVER = {"start": "react-scripts start", "server": "node server/index.js", "build": "react-scripts build"}


def with_pages(server: str) -> dict[str, str]:
    package = json.dumps({"scripts": PAGES_AND_SERVER, "dependencies": PAGES}, indent=1)
    return {
        "package.json": package, "package-lock.json": "", "public/index.html": "", "src/index.js": "ReactDOM.render()",
        "server/index.js": server,
    }  # fmt: skip


def test_pages_that_the_package_of_the_server_builds_are_served_beside_it(look: Look) -> None:
    manifest = drafted(look(with_pages("app.listen(process.env.PORT)")))
    assert manifest.processes["web"].command == "node --require ./.underway/listen.cjs server/index.js"
    assert manifest.static is not None
    assert (manifest.static.dir, manifest.static.url, manifest.static.spa) == ("build", "/", True)


def test_pages_that_the_server_serves_are_left_to_it(look: Look) -> None:
    served = "app.use(express.static(path.join(__dirname, '../build'))); app.listen(process.env.PORT)"
    assert drafted(look(with_pages(served))).static is None


@pytest.mark.parametrize(("section", "stage"), [("development", "development"), ("production", "production")])
def test_knex_migrates_the_database_that_the_code_opens(look: Look, section: str, stage: str) -> None:
    opens = f'const config = require("./knexfile"); module.exports = knex(config.{section})'
    files = app(opens, needs="knex pg", knexfile_dot_js="module.exports = { development: {}, production: {} }")
    migrate = drafted(look(files)).migrate
    assert migrate is not None
    assert migrate.command.endswith(f"knex migrate:latest --env {stage}")
