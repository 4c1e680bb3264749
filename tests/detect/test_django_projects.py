"""What Django projects leave to their Dockerfile, their settings package and their front end's tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection
from underway.manifest.build import NodeBuild
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest

Look = Callable[[Mapping[str, str]], Detection]

WSGI = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
STATIC = 'STATIC_ROOT = BASE_DIR / "collected"\n'


def project(settings: str = STATIC, **more: str) -> dict[str, str]:
    files = {
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")\n',
        "config/__init__.py": "",
        "config/settings.py": "import os\nfrom pathlib import Path\nBASE_DIR = Path(__file__).parent.parent\n"
        'ALLOWED_HOSTS = ["*"]\n' + settings,
        "config/wsgi.py": WSGI,
        "requirements.txt": "django\ngunicorn\n",
    }
    return files | {name.replace("__", "/"): text for name, text in more.items()}


def package(folder: str = "", *, tool: str = "webpack", **scripts: str) -> dict[str, str]:
    text = json.dumps({"scripts": scripts, "devDependencies": {tool: "5"}}, indent=1)
    return {f"{folder}package.json": text, f"{folder}package-lock.json": "{}"}


def drafted(detection: Detection) -> Manifest:
    assert detection.manifest is not None, detection.problems
    return detection.manifest


@pytest.mark.parametrize(
    ("more", "built"),
    [
        pytest.param(package(build="webpack"), NodeBuild(manager="npm", script="build"), id="root"),
        pytest.param(
            package("theme/static_src/", tool="tailwindcss", build="tailwindcss -i in.css -o ../static/out.css"),
            NodeBuild(manager="npm", dir="theme/static_src", script="build"),
            id="django-tailwind",
        ),
        pytest.param(
            package(build="webpack --mode development", prod="webpack")
            | {"Dockerfile": "FROM node\nRUN npm ci && npm run prod\nFROM python:3.12\nCMD gunicorn config.wsgi\n"},
            NodeBuild(manager="npm", script="prod"),
            id="the-dockerfile's-script",
        ),
        pytest.param(
            package(tool="sass", build="sass in.scss --output static/out.css") | {"static/out.css": "b{}"},
            None,
            id="what-it-makes-is-in-the-tree",
        ),
        pytest.param(package(tool="prettier", build="prettier --check ."), None, id="no-bundler"),
    ],
)
def test_scripts_and_styles_of_templates_are_built(look: Look, more: dict[str, str], built: NodeBuild | None) -> None:
    manifest = drafted(look(project() | more))
    assert manifest.build.node == built
    assert manifest.static is None or manifest.static.url == "/static/"


def test_a_bundler_that_the_dockerfile_runs_itself(look: Look) -> None:
    docker = "FROM python:3.12\nRUN npm install && npm install -g gulp\nRUN gulp local\nCMD gunicorn config.wsgi\n"
    manifest = drafted(look(project(Dockerfile=docker) | package(tool="gulp")))
    assert manifest.build.node == NodeBuild(manager="npm")
    assert manifest.build.commands == ("npx --no-install gulp local", "python manage.py collectstatic --noinput")


def test_a_bundle_that_templates_name_is_no_page(look: Look) -> None:
    files = project() | package("frontend/", tool="vite", build="vite build")
    files |= {"frontend/index.html": "<div id=app>", "frontend/vite.config.js": "export default {manifest: true}"}
    pages = drafted(look(files)).static
    assert pages is not None
    assert pages.url == "/"
    bundle = drafted(look(files | {"requirements.txt": "django\ngunicorn\ndjango-vite\n"}))
    assert bundle.static is not None
    assert bundle.static.url == "/static/"
    assert bundle.build.node == NodeBuild(manager="npm", dir="frontend", script="build")


@pytest.mark.parametrize(
    ("settings", "is_run"),
    [
        pytest.param("if USE_S3:\n    pass\nelse:\n    " + STATIC, True, id="the-other-branch-of-far-storage"),
        pytest.param(
            'FAR = os.getenv("FAR") == "True"\nif FAR:\n    pass\nelse:\n    ' + STATIC, True, id="a-default-decides"
        ),
        pytest.param('if os.environ.get("BUILD", "no") == "yes":\n    ' + STATIC, False, id="a-default-decides-not"),
        pytest.param('if "DYNO" in os.environ:\n    ' + STATIC, False, id="another-host"),
        pytest.param("if not DEBUG:\n    " + STATIC, True, id="not-debug"),
        pytest.param("if ask_somebody():\n    " + STATIC, False, id="nobody-can-say"),
    ],
)
def test_static_files_are_gathered_where_their_root_is_set(look: Look, settings: str, is_run: bool) -> None:
    commands = drafted(look(project(settings))).build.commands
    assert ("python manage.py collectstatic --noinput" in commands) is is_run


def test_what_the_dockerfile_makes_before_static_files_are_gathered(look: Look) -> None:
    docker = (
        "FROM python:3.12\nRUN SECRET_KEY=x python manage.py tailwind --skip-checks build\nCMD gunicorn config.wsgi\n"
    )
    files = project(Dockerfile=docker) | {"requirements.txt": "django\ngunicorn\ndjango-tailwind-cli\n"}
    assert drafted(look(files)).build.commands == (
        "python manage.py tailwind --skip-checks build",
        "python manage.py collectstatic --noinput",
    )


SOCKETS = "from channels.routing import ProtocolTypeRouter\napplication = ProtocolTypeRouter({})\n"


@pytest.mark.parametrize("procfile", [{}, {"Procfile": "web: gunicorn config.wsgi\n"}])
def test_websockets_ask_for_asgi(look: Look, procfile: dict[str, str]) -> None:
    manifest = drafted(look(project() | {"config/asgi.py": SOCKETS} | procfile))
    assert manifest.processes["web"].command == "uvicorn config.asgi:application --host 127.0.0.1 --port $PORT"
    assert manifest.build.python is not None
    assert manifest.build.python.extra == ("uvicorn", "websockets")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        pytest.param(
            'CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [("localhost", 6379)]}}}\n',
            'CHANNEL_LAYERS["default"]["CONFIG"]["hosts"] = [os.environ["REDIS_URL"]]',
            id="channels",
        ),
        pytest.param(
            'CELERY_BROKER_URL = "redis://redis:6379/0"\n', 'CELERY_BROKER_URL = os.environ["REDIS_URL"]', id="celery"
        ),
        pytest.param(
            'AT = "redis://127.0.0.1:6379"\nCACHES = {"a": {"BACKEND": "x.RedisCache", "LOCATION": f"{AT}?db=1"}}\n',
            'LOCATION=os.environ["REDIS_URL"]',
            id="a-constant",
        ),
        pytest.param('CELERY_BROKER_URL = os.getenv("BROKER", "redis://redis:6379/0")\n', "", id="it-is-read"),
        pytest.param('CELERY_BROKER_URL = "memory://"\n', "", id="no-redis"),
    ],
)
def test_an_address_of_redis_that_is_fixed_gets_the_one_provided(look: Look, settings: str, line: str) -> None:
    manifest = drafted(look(project(settings) | {"requirements.txt": "django\ngunicorn\nredis\ncelery\n"}))
    assert (
        (line in manifest.build.commands[0] and manifest.services.redis is not None)
        if line
        else (not any("REDIS_URL" in command for command in manifest.build.commands))
    )


def test_an_empty_secret_key_is_generated(look: Look) -> None:
    manifest = drafted(look(project('SECRET_KEY = ""\n')))
    assert manifest.env["SECRET_KEY"] == EnvVar(generate="django", secret=True)


@pytest.mark.parametrize(
    "insists",
    [
        'DATABASES["default"].setdefault("OPTIONS", {})["sslmode"] = "require"\n',
        'DATABASES = {"default": dj_database_url.config(ssl_require=True)}\n',
    ],
)
def test_tls_to_the_database_of_the_machine_is_not_insisted_on(look: Look, insists: str) -> None:
    settings = 'import dj_database_url\nDATABASES = {"default": dj_database_url.config()}\n' + insists
    files = project(settings) | {"requirements.txt": "django\ngunicorn\npsycopg\ndj-database-url\n"}
    assert '["sslmode"] = "prefer"' in drafted(look(files)).build.commands[0]


def test_settings_for_production_beside_those_that_a_variable_of_manage_names(look: Look) -> None:
    files = project() | {
        "manage.py": 'import os\nmodule = "x"\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", module)\n',
        "config/wsgi.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")\n' + WSGI,
        "config/settings/__init__.py": "",
        "config/settings/dev.py": "DEBUG = True\n",
        "config/settings/production.py": 'ALLOWED_HOSTS = ["*"]\n',
    }
    del files["config/settings.py"]
    assert drafted(look(files)).env["DJANGO_SETTINGS_MODULE"] == EnvVar(value="config.settings.production")


COOKIE = """services:
  django: &django
    build:
      context: .
      dockerfile: ./compose/production/django/Dockerfile
    command: /start
  worker:
    build:
      context: .
      dockerfile: ./compose/production/django/Dockerfile
    command: /start-celeryworker
"""


def test_scripts_of_cookiecutter_django_are_followed(look: Look) -> None:
    files = project(STATIC) | {
        "requirements.txt": "django\ngunicorn\ncelery\n",
        "production.yml": COOKIE,
        "compose/production/django/Dockerfile": "FROM python:3.12\nCOPY ./compose/production/django/start /start\n"
        "COPY --chown=django:django ./compose/production/django/celery/worker/start /start-celeryworker\n"
        'COPY ./compose/production/django/entrypoint /entrypoint\nWORKDIR /app\nENTRYPOINT ["/entrypoint"]\n',
        "compose/production/django/entrypoint": '#!/bin/bash\nexec "$@"\n',
        "compose/production/django/start": "#!/bin/bash\nexec gunicorn config.wsgi --workers 3\n",
        "compose/production/django/celery/worker/start": "#!/bin/bash\nexec celery -A config.celery_app worker\n",
    }
    manifest = drafted(look(files))
    assert manifest.processes["web"].command.endswith("--workers 3 --threads 4")
    assert manifest.processes["worker"].command == "celery -A config.celery_app worker"


def test_the_health_of_a_service_beside_the_app_is_not_the_apps(look: Look) -> None:
    aside = "    healthcheck:\n      test: curl -f http://localhost:9000/minio/health/live\n"
    compose = f"services:\n  files:\n    image: minio/minio\n    command: server /data\n{aside}"
    assert drafted(look(project() | {"compose.yml": compose})).health.path == "/"
    own = f"services:\n  web:\n    build: .\n{aside}".replace("/minio/health/live", "/well")
    assert drafted(look(project() | {"compose.yml": own})).health.path == "/well"


def test_the_list_that_names_what_the_code_needs_is_installed(look: Look) -> None:
    filled = project() | {"requirements/production.txt": "django\n", "requirements.txt": "a\nb\nc\ndjango\ngunicorn\n"}
    python = drafted(look(filled)).build.python
    assert python is not None
    assert python.requirements == ("requirements.txt",)
    includes = filled | {"requirements/production.txt": "-r ../requirements.txt\n"}
    python = drafted(look(includes)).build.python
    assert python is not None
    assert python.requirements == ("requirements/production.txt",)


def test_folders_below_folders_outlive_releases(look: Look) -> None:
    settings = 'PUBLIC_ROOT = BASE_DIR.joinpath("public")\nMEDIA_ROOT = PUBLIC_ROOT.joinpath("media")\n'
    assert drafted(look(project(settings))).shared == ("public/media",)


def test_env_of_any_package_reads_the_environment(look: Look) -> None:
    settings = 'from epicenv import Env\nenv = Env()\nSECRET_KEY = env("SECRET_KEY")\n'
    settings += 'HOST = env("MAIN_DOMAIN", default="example.com")\n'
    env = drafted(look(project(settings))).env
    assert env["SECRET_KEY"] == EnvVar(generate="django", secret=True)
    assert env["MAIN_DOMAIN"] == EnvVar(value="${host}")


def test_a_package_of_settings_that_holds_none_is_not_what_is_meant(look: Look) -> None:
    call = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", config("DJANGO_SETTINGS_MODULE"))\n'
    files = project() | {
        "manage.py": "import os\nfrom decouple import config\n" + call,
        "config/wsgi.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")\n' + WSGI,
        "config/settings/__init__.py": "",
        "config/settings/base.py": "import os\nROOT_URLCONF = 'config.urls'\nSECRET_KEY = os.environ['SECRET_KEY']\n",
        "config/settings/production.py": "from .base import *\n",
        ".env.example": "DJANGO_SETTINGS_MODULE=config.settings.development\n",
    }
    del files["config/settings.py"]
    env = drafted(look(files)).env
    assert env["DJANGO_SETTINGS_MODULE"] == EnvVar(value="config.settings.production")
    assert env["SECRET_KEY"] == EnvVar(generate="django", secret=True)


def test_a_manage_that_leaves_all_to_the_project(look: Look) -> None:
    local = (
        "ROOT_URLCONF = 'config.urls'\ntry:\n    from config.localsettings import *\nexcept ImportError:\n    pass\n"
    )
    manifest = drafted(look(project(local) | {"manage.py": "import runpy\nrunpy.run_module('config')\n"}))
    assert manifest.migrate is not None
    assert manifest.env["SECRET_KEY"] == EnvVar(generate="django", secret=True)


def test_static_files_are_gathered_as_the_dockerfile_does(look: Look) -> None:
    docker = (
        "FROM python:3.12\nRUN python manage.py collectstatic --noinput --no-default-ignore\nCMD gunicorn config.wsgi\n"
    )
    assert drafted(look(project(STATIC, Dockerfile=docker))).build.commands[-1] == (
        "python manage.py collectstatic --noinput --no-default-ignore"
    )


def test_variables_that_pydantic_1_names_by_field(look: Look) -> None:
    settings = "from pydantic import BaseSettings\n\n\nclass Setup(BaseSettings):\n    DB_NAME: str\n    OTHER: str\n\n"
    settings += '    class Config:\n        env_prefix = "SHOP_"\n        fields = {"OTHER": {"env": "JWT_SECRET"}}\n'
    env = drafted(look(project(settings))).env
    assert env["JWT_SECRET"] == EnvVar(generate="urlsafe", secret=True)
    assert "SHOP_DB_NAME" in env


def test_a_template_of_projects_is_told(look: Look) -> None:
    manage = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{ project_name }}.settings")\n'
    [problem] = look(project() | {"manage.py": manage}).problems
    assert (problem.code, problem.where) == ("detect.template", "manage.py:2")


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        pytest.param("import keys\nSECRET_KEY = keys.ONE\n", ["config/settings.py:5"], id="kept-out"),
        pytest.param("try:\n    import keys\nexcept ImportError:\n    pass\n", [], id="it-can-do-without"),
        pytest.param("import json\n", [], id="anything-else"),
    ],
)
def test_a_module_that_git_ignores_is_told(look: Look, settings: str, problems: list[str]) -> None:
    found = look(project(settings) | {".gitignore": "*.log\nkeys.py\n", "keys.py.default": "ONE = ''\n"}).problems
    assert [problem.where for problem in found] == problems
    assert all("keys.py.default" in problem.why for problem in found)


def test_captcha_keys_are_texts(look: Look) -> None:
    settings = 'RECAPTCHA_PUBLIC_KEY = os.getenv("RECAPTCHA_PUBLIC_KEY")\n'
    env = drafted(look(project(settings) | {"requirements.txt": "django\ndjango-recaptcha\n"})).env
    assert env["RECAPTCHA_PUBLIC_KEY"] == EnvVar(value="")


def test_the_redirect_to_https_is_the_proxys(look: Look) -> None:
    manifest = drafted(look(project('SECURE_SSL_REDIRECT = env.bool("SSL_REDIRECT", default=True)\n')))
    assert manifest.env["SSL_REDIRECT"] == EnvVar(value="False")
    overlaid = drafted(look(project("SECURE_SSL_REDIRECT = not DEBUG\n"))).build.commands[0]
    assert "; SECURE_SSL_REDIRECT = False" in overlaid
    assert drafted(look(project("SECURE_SSL_REDIRECT = False\n"))).build.commands == ()


def test_routes_of_channels_2_are_served(look: Look) -> None:
    settings = 'ASGI_APPLICATION = "config.routing.application"\n' + STATIC
    manifest = drafted(look(project(settings) | {"config/routing.py": SOCKETS}))
    assert manifest.processes["web"].command.startswith("uvicorn underway_asgi:application")
    text = manifest.build.commands[0]
    assert text.startswith("printf")
    assert text.endswith("from config.routing import application as application' > underway_asgi.py")


def test_another_server_is_no_bundle(look: Look) -> None:
    nuxt = json.dumps({"scripts": {"build": "nuxt build"}, "dependencies": {"nuxt": "3"}})
    assert drafted(look(project() | {"client/package.json": nuxt})).build.node is None


@pytest.mark.parametrize(
    ("lists", "chosen"),
    [
        ({"base.txt": "django\n", "prod.txt": "gunicorn\n"}, ("requirements/base.txt", "requirements/prod.txt")),
        ({"base.txt": "django\n", "prod.txt": "-r base.txt\ngunicorn\n"}, ("requirements/prod.txt",)),
        ({"base.txt": "django\n", "postgres.txt": "-r base.txt\npsycopg\n"}, ("requirements/postgres.txt",)),
    ],
)
def test_lists_that_belong_together(look: Look, lists: dict[str, str], chosen: tuple[str, ...]) -> None:
    files = project() | {f"requirements/{name}": text for name, text in lists.items()}
    del files["requirements.txt"]
    python = drafted(look(files)).build.python
    assert python is not None
    assert python.requirements == chosen


def test_a_folder_for_data_outlives_releases_unless_the_repository_fills_it(look: Look) -> None:
    settings = 'DATA_DIR = config.get("files", "data", fallback=os.environ.get("DATA_DIR", BASE_DIR / "data"))\n'
    assert drafted(look(project(settings))).shared == ("data",)
    assert drafted(look(project(settings) | {"data/towns.csv": "1"})).shared == ()


def test_an_address_of_django_environ_has_its_default_second(look: Look) -> None:
    detection = look(project('env = environ.Env()\nCACHE = env.cache_url("SHOP_CACHE", "dbcache://t")\n'))
    assert detection.problems == ()


@pytest.mark.parametrize(
    ("lines", "module"),
    [
        (("import chat.routing", "app = get_asgi_application()"), "underway_asgi"),
        (("app = get_asgi_application()", "import chat.routing"), "config.asgi"),
        (
            ("import django", "django.setup()", "from chat import routing", "app = get_asgi_application()"),
            "config.asgi",
        ),
    ],
)
def test_routes_that_are_imported_before_django_is_set_up_are_imported_after(
    look: Look, lines: tuple[str, ...], module: str
) -> None:
    asgi = "\n".join(
        [
            "from channels.routing import ProtocolTypeRouter",
            "from django.core.asgi import get_asgi_application",
            *lines,
            "application = ProtocolTypeRouter({'http': app})\n",
        ]
    )
    files = project(STATIC) | {"config/asgi.py": asgi, "chat/routing.py": "", "chat/models.py": ""}
    assert drafted(look(files)).processes["web"].command.startswith(f"uvicorn {module}:application")
