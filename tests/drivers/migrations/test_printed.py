"""Real tools print what is pending, wherever their files are; what cannot be printed is told."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.drivers.database.conftest import open_folder, served

from underway.drivers.commands.local import LocalCommands
from underway.drivers.database.schemas import PostgresSchemas
from underway.drivers.migrations.printed import PrintedMigrations
from underway.manifest.migrate import Migrate
from underway.ports.migrations import MigrationsAsk
from underway.ports.schemas import Purpose
from underway.terms.home import Home
from underway.terms.secret import Secret

__all__ = ["open_folder", "served"]
APP = "printing"


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    """An environment with alembic and Django in it, as an app's build has one."""
    folder = tmp_path_factory.mktemp("tools") / "venv"
    wanted = ["alembic", "sqlalchemy[asyncio]", "asyncpg", "psycopg[binary]", "django"]
    for words in (
        ["venv", "--python", sys.executable, str(folder)],
        ["pip", "install", "-q", "-p", str(folder), *wanted],
    ):
        done = subprocess.run(["uv", *words], capture_output=True, text=True, timeout=170)
        if done.returncode:
            pytest.skip(f"alembic and Django cannot be installed here: {done.stderr[-200:]}")
    return folder


@pytest.fixture(scope="session")
def database(served):
    """The address of a database, through a login that can only read, and one that may change it."""

    async def make():
        driver = served()
        schemas = PostgresSchemas(driver)
        await driver.provision(APP, Secret("the-password-of-the-app"))
        open_ = [
            await schemas.open_login(APP, purpose, Secret("one-of-a-test"), lock_timeout_s=2, statement_timeout_s=20)
            for purpose in (Purpose.LOOK, Purpose.MIGRATE)
        ]
        return [
            f"postgresql://{login.address.user}:{login.password.reveal()}@{login.address.host}:{login.address.port}"
            f"/{login.address.database}"
            for login in open_
        ]

    return asyncio.run(make())


class Project:
    """A tree with migrations and the tools to run them."""

    def __init__(self, root: Path, tools: Path, look: str, change: str):
        self.root, self.tools, self.look, self.change = root, tools, look, change
        self.home = Home(root / "home")

    def write(self, **files):
        for name, text in files.items():
            path = self.root / "tree" / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def env(self, url):
        return {"PATH": f"{self.tools}/bin:{os.environ['PATH']}", "DATABASE_URL": url, "LANG": "C.UTF-8"}

    def run(self, command, cwd="."):
        subprocess.run(
            command, shell=True, check=True, cwd=self.root / "tree" / cwd, env=self.env(self.change), timeout=100
        )

    def pending(self, command, cwd=".", paths=(), **more):
        migrations = PrintedMigrations(self.home, LocalCommands(self.home))
        ask = MigrationsAsk(
            app=APP,
            release="r",
            tree_dir=str(self.root / "tree"),
            migrate=Migrate(command, cwd, tuple(paths)),
            env=self.env(self.look),
            **more,
        )
        return asyncio.run(migrations.pending(ask))

    def back(self, command, was, now):
        """The command that leads back, run."""
        migrations = PrintedMigrations(self.home, LocalCommands(self.home))
        tree = str(self.root / "tree")
        ask = MigrationsAsk(app=APP, release="r", tree_dir=tree, migrate=Migrate(command), env={})
        found = asyncio.run(migrations.way_back(ask, was, now))
        assert found
        self.run(found)

    def head(self, served):
        return asyncio.run(PostgresSchemas(served()).head(APP))


@pytest.fixture
def project(tmp_path, tools, database):
    return Project(tmp_path, tools, *database)


ASYNC_ENV = """
import asyncio, os
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
url = os.environ["DATABASE_URL"].replace("postgresql", "postgresql+asyncpg")
def work(connection):
    context.configure(connection=connection, version_table="alembic_version_inner")
    with context.begin_transaction():
        context.run_migrations()
async def main():
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        await connection.run_sync(work)
        await connection.commit()
asyncio.run(main())  # there is no offline branch
"""
ONE = """
from alembic import op
revision, down_revision = "one", None
def upgrade():
    op.execute("CREATE TABLE a_items (id int)")
"""
TWO = """
from alembic import op
revision, down_revision = "two", "one"
def upgrade():
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY a_i ON a_items (id)")
    op.execute("ALTER TABLE a_items ADD COLUMN n int")
"""


def test_alembic_prints_only_what_is_pending_with_an_async_env_below_the_root(project):
    project.write(
        back__alembic_dot_ini="[alembic]\nscript_location = db\n", back__db__env_dot_py=ASYNC_ENV,
        back__db__versions__one_dot_py=ONE,
    )  # fmt: skip
    project.run("alembic upgrade head", "back")
    project.write(back__db__versions__two_dot_py=TWO)

    found = project.pending("PYTHONPATH=. alembic upgrade head && echo seeded", "back")

    assert found.tool == "alembic", found
    (script,) = found.scripts
    assert script.name == "two"
    assert "CREATE INDEX CONCURRENTLY" in script.sql
    assert "CREATE TABLE a_items" not in script.sql
    project.run("alembic upgrade head", "back")
    assert project.pending("alembic upgrade head", "back").scripts == ()


PLAIN_ENV = """
import os
from alembic import context
from sqlalchemy import create_engine
with create_engine(os.environ["DATABASE_URL"].replace("postgresql", "postgresql+psycopg")).begin() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
THERE_AND_BACK = """
from alembic import op
revision, down_revision = "b_{name}", {before!r}
def upgrade():
    op.execute("CREATE TABLE b_{name} ()")
def downgrade():
    op.execute("DROP TABLE b_{name}")
"""


def test_alembic_goes_back_to_the_head_that_there_was(project, served):
    project.write(
        alembic_dot_ini="[alembic]\nscript_location = db\n", db__env_dot_py=PLAIN_ENV,
        db__versions__one_dot_py=THERE_AND_BACK.format(name="one", before=None),
    )  # fmt: skip
    project.run("alembic upgrade head")
    was = project.head(served)
    assert was == "alembic b_one"
    project.write(
        db__versions__two_dot_py=THERE_AND_BACK.format(name="two", before="b_one"),
        db__versions__three_dot_py=THERE_AND_BACK.format(name="three", before="b_two"),
    )
    project.run("alembic upgrade head")
    assert project.head(served) == "alembic b_three"

    project.back("alembic upgrade head", was, "alembic b_three")

    assert project.head(served) == was
    project.run("alembic downgrade base && echo 'DROP TABLE alembic_version' | psql -q $DATABASE_URL")


def test_an_alembic_that_cannot_print_says_why(project):
    project.write(alembic_dot_ini="[alembic]\nscript_location = db\n", db__env_dot_py="raise SystemExit('no such key')")
    found = project.pending("alembic upgrade head")
    assert not found.tool
    assert "no such key" in found.why_not


SETTINGS = """
import os
from urllib.parse import urlsplit, unquote
url = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "x"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": unquote(url.username),
    "PASSWORD": url.password, "HOST": url.hostname, "PORT": url.port}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


def test_django_prints_what_is_pending_with_the_settings_of_the_app_and_goes_back(project, served):
    project.write(
        manage_dot_py=MANAGE,
        site_settings_dot_py=SETTINGS,
        shop____init___dot_py="",
    )
    (project.root / "tree/shop/migrations").mkdir(parents=True)
    (project.root / "tree/shop/__init__.py").write_text("print('noise of an app')")
    (project.root / "tree/shop/migrations/__init__.py").write_text("")
    (project.root / "tree/shop/migrations/0001_initial.py").write_text(
        "from django.db import migrations, models\n"
        "class Migration(migrations.Migration):\n"
        "    operations = [migrations.CreateModel('Item', [('id', models.BigAutoField(primary_key=True))])]\n"
    )
    project.run("python manage.py migrate --noinput")
    (project.root / "tree/shop/migrations/0002_n.py").write_text(
        "from django.db import migrations, models\n"
        "class Migration(migrations.Migration):\n"
        "    atomic = False\n    dependencies = [('shop', '0001_initial')]\n"
        "    operations = [migrations.AddField('item', 'n', models.IntegerField(default=0)),\n"
        "                  migrations.RunPython(lambda apps, editor: None, migrations.RunPython.noop)]\n"
    )

    found = project.pending("python manage.py collectstatic; python manage.py migrate --noinput")

    assert found.tool == "django", found
    (script,) = found.scripts
    assert script.name == "shop.0002_n"
    assert not script.is_atomic
    assert 'ADD COLUMN "n"' in script.sql

    was = project.head(served)
    assert was == "django shop.0001_initial"
    project.run("python manage.py migrate --noinput")
    assert project.head(served) == "django shop.0002_n"
    project.back("python manage.py migrate --noinput", was, "django shop.0002_n")
    assert project.head(served) == was


def test_files_of_sql_are_pending_when_the_release_that_runs_lacks_them(project, tmp_path):
    was = tmp_path / "was" / "prisma/migrations/1_init"
    was.mkdir(parents=True)
    (was / "migration.sql").write_text("CREATE TABLE a ();")
    for name, text in {
        "1_init/migration.sql": "CREATE TABLE a ();",
        "2_next/migration.sql": "-- +goose Up\nALTER TABLE a ADD x int;\n-- +goose Down\nDROP TABLE a;",
        "2_next/down.sql": "DROP TABLE a;",
        "3.down.sql": "DROP TABLE a;",
        "4_last.sql": "-- migrate:up transaction:false\nREINDEX TABLE CONCURRENTLY a;\n-- migrate:down\nDROP TABLE a",
    }.items():
        path = tmp_path / "tree/prisma/migrations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    secret = tmp_path / "secret.sql"
    secret.write_text("DROP TABLE from_outside;")
    (tmp_path / "tree/prisma/migrations/5_link.sql").symlink_to(secret)

    found = project.pending("npx prisma migrate deploy", paths=["prisma/migrations"], was_dir=str(tmp_path / "was"))

    assert found.tool == "SQL files"
    assert [Path(script.name).parts[-2:] for script in found.scripts] == [
        ("2_next", "migration.sql"),
        ("migrations", "4_last.sql"),
    ]
    assert [script.is_atomic for script in found.scripts] == [True, False]
    assert not any("DROP" in script.sql for script in found.scripts)


def test_what_nothing_prints_is_told(project):
    project.write(m_dot_py="")
    found = project.pending("node migrate.js", paths=["m.py"])
    assert not found.tool
    assert "node migrate.js" in found.why_not


def test_printing_can_never_change_the_database(project):
    project.write(alembic_dot_ini="[alembic]\nscript_location = db\n", db__env_dot_py="""
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE made_while_printing ()")
""")  # fmt: skip
    found = project.pending("alembic upgrade head")
    assert "read-only transaction" in found.why_not
