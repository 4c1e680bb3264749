"""Databases that Underway does not provide are named early, with the line that shows the need."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection

Look = Callable[[Mapping[str, str]], Detection]

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
EXPRESS = '{"dependencies": {"express": "4", "mongoose": "8"}}'


def python(source: str, requirements: str) -> dict[str, str]:
    return {"main.py": FASTAPI, "db.py": source, "requirements.txt": f"fastapi\nuvicorn\n{requirements}\n"}


def node(source: str, package: str = EXPRESS) -> dict[str, str]:
    return {"package.json": package, "package-lock.json": "{}", "server.js": source}


@pytest.mark.parametrize(
    ("files", "where", "words"),
    [
        pytest.param(
            python('import os\nfrom pymongo import MongoClient\nc = MongoClient(os.environ["MONGO_URL"])\n', "pymongo"),
            "db.py:3",
            "MongoDB at MONGO_URL",
            id="mongo-by-name",
        ),
        pytest.param(
            python('import os\nURL = os.getenv("DB_URL", "mysql+aiomysql://root@localhost/shop")\n', "aiomysql"),
            "db.py:2",
            "MySQL at DB_URL",
            id="mysql-by-default",
        ),
        pytest.param(
            node("const u = process.env.MONGODB_URI;\nmongoose.connect(u);\n"),
            "server.js:1",
            "MongoDB at MONGODB_URI",
            id="mongoose",
        ),
    ],
)
def test_the_address_is_asked_for_by_name(look: Look, files: dict[str, str], where: str, words: str) -> None:
    (problem,) = look(files).problems
    assert (problem.code, problem.where) == ("detect.env-missing", where)
    assert words in problem.why
    assert "://" in problem.remedy or "= " in problem.remedy


def test_an_address_in_the_code_is_told_with_its_line(look: Look) -> None:
    (problem,) = look(node('// mongoose.connect("x")\nmongoose\n  .connect("mongodb://db/shop");\n')).problems
    assert (problem.code, problem.where) == ("detect.service-fixed", "server.js:2")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(python('URL = "sqlite:///x.db"\n', "pymysql"), id="a-client-that-nothing-uses"),
        pytest.param(
            python('import os\nURL = os.getenv("DB_URL", "sqlite:///x.db")\n', "pymysql")
            | {".env.example": "DB_URL=mysql://root@localhost/shop\n"},
            id="a-choice-whose-default-is-a-file",
        ),
        pytest.param(
            {**node("const express = require('express');\n"), "seed_db.js": 'mongoose.connect("mongodb://x");\n'},
            id="a-script-aside",
        ),
        pytest.param(
            python('import os\nURL = os.environ["DATABASE_URL"]\nM = "mysql://"\n', "pymysql\npsycopg"),
            id="postgresql-is-spoken-too",
        ),
        pytest.param(
            node(
                "if (process.env.MYSQL_HOST) module.exports = require('./mysql');\nelse module.exports = "
                "require('./sqlite');\n",
                '{"dependencies": {"express": "4", "mysql2": "3", "sqlite3": "5"}}',
            )
            | {"mysql.js": "const pool = mysql.createPool({host: process.env.MYSQL_HOST});\n"},
            id="a-file-of-its-own-where-no-host-is-named",
        ),
    ],
)
def test_what_the_app_can_do_without_is_not_asked_for(look: Look, files: dict[str, str]) -> None:
    assert look(files).problems == ()
