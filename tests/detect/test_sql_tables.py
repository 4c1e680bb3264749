"""Files of SQL that make the tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection
from underway.manifest.migrate import Migrate
from underway.manifest.model import Manifest

Look = Callable[[Mapping[str, str]], Detection]

PACKAGE = json.dumps({"scripts": {"start": "node server.js"}, "dependencies": {"express": "4", "pg": "8"}})
SERVER = """const { Pool } = require("pg");
const pool = new Pool({ connectionString: process.env.DATABASE_URL });
app.listen(process.env.PORT)
"""
SCHEMA = "-- what is kept\nCREATE TABLE todo (\n  id SERIAL PRIMARY KEY,\n  says TEXT\n);\n"


def drafted(look: Look, files: Mapping[str, str]) -> tuple[Manifest, Detection]:
    detection = look({"package.json": PACKAGE, "package-lock.json": "", "server.js": SERVER, **files})
    assert detection.manifest is not None, detection.problems
    return detection.manifest, detection


def compose(*volumes: str) -> str:
    listed = "".join(f"\n      - {volume}" for volume in volumes)
    return f"services:\n  db:\n    image: postgres:16\n    volumes:{listed}\n"


def test_what_a_new_database_is_given_makes_the_tables_in_the_order_of_its_image(look: Look) -> None:
    files = {
        "docker-compose.yml": compose(
            "data:/var/lib/postgresql/data",
            "./db/tables.sql:/docker-entrypoint-initdb.d/1-tables.sql:ro",
            "./db/more:/docker-entrypoint-initdb.d",
            "./db/migrations:/docker-entrypoint-initdb.d/migrations",
        ),
        "db/tables.sql": 'create extension if not exists "uuid-ossp";\n' + SCHEMA,
        "db/more/2 seed.sql": "INSERT INTO todo (says) VALUES ('a');",
        "db/more/3.sh": "",
        "db/migrations/1.sql": SCHEMA,
    }
    manifest, detection = drafted(look, files)
    paths = ("db/tables.sql", "db/more/2 seed.sql")
    assert manifest.migrate == Migrate("sh .underway/tables.sh db/tables.sql 'db/more/2 seed.sql'", paths=paths)
    assert manifest.services.postgres is not None
    assert manifest.services.postgres.extensions == ("uuid-ossp",)
    assert [claim.evidence for claim in detection.claims if claim.about == "migrate"] == ["docker-compose.yml:6"]


def test_files_whose_order_makes_no_sense_are_not_run_in_it(look: Look) -> None:
    files = {
        "docker-compose.yml": compose("./db:/docker-entrypoint-initdb.d:ro"),
        "db/backfill.sql": "UPDATE todo SET says = '';",
        "db/schema.sql": SCHEMA,
    }
    manifest, _ = drafted(look, files)
    assert manifest.migrate is not None
    assert manifest.migrate.paths == ("db/schema.sql",), "the one that makes the tables, and nothing of the others"


@pytest.mark.parametrize("path", ["schema.sql", "server/db/database.sql", "todos.sql"])
def test_the_one_file_that_makes_tables_is_run(look: Look, path: str) -> None:
    manifest, detection = drafted(look, {path: SCHEMA, "db/seeds.sql": "INSERT INTO todo VALUES (1)"})
    assert manifest.migrate == Migrate(f"sh .underway/tables.sh {path}", paths=(path,))
    assert [claim.evidence for claim in detection.claims if claim.about == "migrate"] == [f"{path}:2"]


def test_of_several_the_one_is_run_whose_name_says_so(look: Look) -> None:
    manifest, _ = drafted(look, {"sql/schema.sql": SCHEMA, "sql/report.sql": SCHEMA, "sql/drop_tables.sql": SCHEMA})
    assert manifest.migrate == Migrate("sh .underway/tables.sh sql/schema.sql", paths=("sql/schema.sql",))


@pytest.mark.parametrize(
    "files",
    [
        {"a.sql": SCHEMA, "b.sql": SCHEMA},
        {"schema.sql": "CREATE TABLE `todo` (id INT AUTO_INCREMENT) ENGINE=InnoDB;"},
        {"tests/schema.sql": SCHEMA},
        {"mysql/schema.sql": SCHEMA},
        {"db/migrations/001.sql": SCHEMA},
        {"schema.sql": SCHEMA, "db.js": "sequelize.sync({ alter: true })"},
        {"schema.sql": "INSERT INTO todo VALUES (1);"},
        {"docker-compose.yml": compose("./init:/docker-entrypoint-initdb.d"), "init/a.sql": "CREATE ROLE me;"},
    ],
)
def test_what_is_another_database_s_or_made_by_code_is_not_run(look: Look, files: Mapping[str, str]) -> None:
    manifest, _ = drafted(look, files)
    assert manifest.migrate is None


def test_several_files_that_nothing_puts_in_order_are_named(look: Look) -> None:
    _, detection = drafted(look, {"a.sql": SCHEMA, "b.sql": SCHEMA})
    says = [claim.says for claim in detection.claims if claim.about == "migrate"]
    assert says == ["not run: a.sql, b.sql make tables, and nothing says which of them or in which order"]
