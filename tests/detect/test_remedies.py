"""What a refusal tells its reader to add answers it: all at once, as it is printed."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from tests.detect.conftest import MACHINE

from underway.detect import complete, detect
from underway.terms.problem import Problem, Refusal
from underway.terms.tree import Tree

FASTAPI = "from fastapi import FastAPI\nimport settings\napp = FastAPI()\n"
DJANGO = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
    "requirements.txt": "django==5.1\n",
}


def python(settings: str, requirements: str = "", **more: str) -> dict[str, str]:
    files = {"main.py": FASTAPI, "settings.py": settings, "requirements.txt": f"fastapi\nuvicorn\n{requirements}"}
    return files | more


def node(source: str, *packages: str) -> dict[str, str]:
    names = ", ".join(f'"{name}": "1"' for name in ("express", *packages))
    start = '{"scripts": {"start": "node s.js"}, "dependencies": {' + names + "}}"
    return {"package.json": start, "package-lock.json": "{}", "s.js": source + "app.listen(process.env.PORT);\n"}


REFUSED = {
    "plain": python('import os\nA = os.environ["STRIPE_SECRET_KEY"]\nB = os.environ["PAYMENT_ACCOUNT"]\n'),
    "fernet": python(
        'import os\nfrom cryptography.fernet import Fernet\nF = Fernet(os.environ["FIELD_KEY"])\n', "cryptography\n"
    ),
    "pydantic": python(
        "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    openai_api_key: str\n"
        "    SENDGRID_API_KEY: str\ns = Settings()\n",
        "pydantic-settings\n",
    ),
    "mysql, an address": python(
        'import os\nURL = os.getenv("DB_URL", "mysql+aiomysql://root@localhost/a")\n', "aiomysql\n"
    ),
    "mysql, put together": python(
        'import os\nURI = f"mysql+mysqldb://root:{os.getenv(\'MYSQL_PW\')}@{os.getenv(\'SQL_ADDRESS\')}/blog"\n',
        "mysqlclient\n",
    ),
    "mongo": node('mongoose.connect(process.env.MONGODB_URI);\nconst stripe = process.env.STRIPE_KEY;\n', "mongoose"),
    "mysql, in parts": node(
        "const h = process.env.MYSQL_HOST; mysql.createPool({host: h, user: process.env.MYSQL_USER});\n", "mysql2"
    ),
    "django": DJANGO | {"shop/settings.py": 'import os\nSECRET_KEY = "x"\nKEY = os.environ["TWILIO_AUTH_TOKEN"]\n'},
}  # fmt: skip


def refused(files: Mapping[str, str], text: str | None = None) -> list[Problem]:
    tree = Tree(name="shop", paths=tuple(sorted(files)), texts=dict(files))
    try:
        complete(tree, MACHINE, text)
    except Refusal as refusal:
        return list(refusal.problems)
    return []


@pytest.mark.parametrize("name", REFUSED)
def test_the_lines_of_a_refusal_are_its_whole_answer(name: str) -> None:
    """Pasted with the values in their places, nothing more is asked: not of these, and of nothing that was silent."""
    problems = refused(REFUSED[name])
    lines = [problem.remedy.partition("under [env]: ")[2] for problem in problems]
    assert lines, "it is refused"
    assert all(lines), [p.remedy for p in problems]
    text = "[env]\n" + "\n".join(lines) + "\n"
    assert {p.code for p in refused(REFUSED[name], text)} <= {"manifest.value"}, (
        "only the values are still to be put in"
    )
    assert refused(REFUSED[name], text.replace("…", "x").replace("user:password@", "shop:secret@")) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("mysql, an address", 'DB_URL = "mysql+aiomysql://user:password@host:3306/name"'),
        ("mysql, put together", 'SQL_ADDRESS = "host:3306"'),
        ("mysql, in parts", 'MYSQL_HOST = "host"'),
        ("mongo", 'MONGODB_URI = "mongodb://user:password@host:27017/name"'),
    ],
)
def test_the_example_of_an_address_has_the_form_that_the_app_takes(name: str, line: str) -> None:
    assert any(problem.remedy.endswith(f"under [env]: {line}") for problem in refused(REFUSED[name]))


def test_a_file_that_git_ignores_is_made_of_its_example_by_the_command() -> None:
    files = DJANGO | {
        "shop/settings.py": "import secret_key\nSECRET_KEY = secret_key.KEY\n",
        ".gitignore": "secret_key.py\n",
        "secret_key.py.default": "KEY = None\n",
    }
    (problem,) = refused(files)
    assert problem.code == "detect.file-missing"
    assert problem.command == "cp secret_key.py.default secret_key.py && git add -f secret_key.py"


def test_a_template_of_projects_has_the_command_that_makes_one() -> None:
    blank = '"{{ project_name }}"'
    files = DJANGO | {"shop/settings.py": "", "package.json": f'{{"name": {blank}}}', "Procfile": f"web: {blank}"}
    files["manage.py"] = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{project_name}}.settings")\n'
    (problem,) = refused(files)
    made = r"mkdir \.\./mysite && django-admin startproject mysite \.\./mysite --template \. -e py,json --name Procfile"
    assert re.fullmatch(made, problem.command)


def test_an_interpreter_that_uv_has_no_build_of_is_installed_otherwise() -> None:
    (problem,) = refused({"main.py": FASTAPI, "settings.py": "", "requirements.txt": "fastapi\nDjango==1.10.5\n"})
    assert problem.command == "pyenv install 3.5"


def test_the_django_of_a_lock_decides_the_python() -> None:
    lock = '[[package]]\nname = "django"\nversion = "4.0.2"\n'
    project = '[tool.poetry]\nname = "shop"\n[tool.poetry.dependencies]\npython = "^3.8"\nDjango = "^4.0"\n'
    files = DJANGO | {"shop/settings.py": "", "poetry.lock": lock, "pyproject.toml": project}
    del files["requirements.txt"]
    tree = Tree(name="shop", paths=tuple(sorted(files)), texts=dict(files))
    machine = type(MACHINE)(cpus=2, pythons=("3.13", "3.10"), node_version="")
    manifest = detect(tree, machine=machine).manifest
    assert manifest is not None
    assert manifest.build.python is not None
    assert manifest.build.python.version == "3.10"


def test_settings_for_postgresql_without_its_driver_get_one() -> None:
    settings = (
        'import os\nDATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["DB_NAME"],'
    )
    settings += (
        ' "USER": os.environ["DB_USER"], "PASSWORD": os.environ["DB_PASSWORD"], "HOST": os.environ["DB_HOST"]}}\n'
    )
    files = DJANGO | {"shop/settings.py": settings, "requirements.txt": "django==2.2.14\n"}
    manifest = detect(Tree(name="shop", paths=tuple(sorted(files)), texts=dict(files)), machine=MACHINE).manifest
    assert manifest is not None
    assert manifest.build.python is not None
    assert "psycopg2-binary<2.9" in manifest.build.python.extra
    assert manifest.services.postgres is not None


def test_a_port_that_the_settings_require_has_a_value_where_no_port_is_given() -> None:
    """A migration loads the same settings as the server and gets no port."""
    settings = (
        'import {z} from "zod";\nexport const env = z.object({API_PORT: z.coerce.number()}).parse(process.env);\n'
    )
    files = node("app.listen(env.API_PORT);\n", "zod") | {"env.js": settings, ".env.example": "API_PORT=5000\n"}
    files["s.js"] = 'const {env} = require("./env.js");\napp.listen(env.API_PORT);\n'
    manifest = detect(Tree(name="shop", paths=tuple(sorted(files)), texts=dict(files)), machine=MACHINE).manifest
    assert manifest is not None
    assert manifest.processes["web"].command.startswith("API_PORT=$PORT ")
    assert manifest.env["API_PORT"].value == "5000"
