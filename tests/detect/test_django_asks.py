"""Django projects: the route that says they are well, the packages that are no use here, the settings in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection, Machine, detect
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest
from underway.terms.tree import Tree

Look = Callable[[Mapping[str, str]], Detection]
Plant = Callable[[Mapping[str, str]], Tree]

WSGI = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")\n'
SQLITE = 'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}\n'
POSTGRES = (
    'DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["DB_HOST"], '
    '"PORT": os.environ["DB_PORT"]}}\n'
)


def project(settings: str = SQLITE, requirements: str = "django\ngunicorn\n", **more: str) -> dict[str, str]:
    files = {
        "manage.py": MANAGE,
        "config/__init__.py": "",
        "config/settings.py": "import os\nfrom pathlib import Path\nBASE_DIR = Path(__file__).parent.parent\n"
        'ROOT_URLCONF = "config.urls"\nALLOWED_HOSTS = ["*"]\n' + settings,
        "config/wsgi.py": WSGI,
        "requirements.txt": requirements,
    }
    return files | {name.replace("__", "/"): text for name, text in more.items()}


def drafted(detection: Detection) -> Manifest:
    assert detection.manifest is not None, detection.problems
    return detection.manifest


PING = 'from django.urls import path\nurlpatterns = [path("ping/", ping)]\n'


@pytest.mark.parametrize(
    ("urls", "path"),
    [
        ('urlpatterns = [path("v1/", include(([path("core/", include("core.urls"))], "v1")))]', "/v1/core/ping/"),
        ('v1 = [path("core/", include("core.urls"))]\nurlpatterns = [path("v1/", include(v1))]', "/v1/core/ping/"),
        ('urlpatterns = []\nurlpatterns += [path("core/", include("core.urls"))]', "/core/ping/"),
        ('urlpatterns = [path("core/", include("core.urls"))] + static("/media/")', "/core/ping/"),
        ('urlpatterns = [re_path(r"^core/", include("core.urls", namespace="core"))]', "/core/ping/"),
        ('urlpatterns = []\nif settings.DEBUG:\n    urlpatterns += [path("core/", include("core.urls"))]', "/"),
        ('urlpatterns = [path(PREFIX, include("core.urls"))]', "/"),
    ],
)
def test_a_health_route_has_the_prefixes_of_all_that_include_it(look: Look, urls: str, path: str) -> None:
    text = f"from django.urls import include, path, re_path\n{urls}\n"
    assert (
        drafted(look(project(config__urls__py="") | {"config/urls.py": text, "core/urls.py": PING})).health.path == path
    )


@pytest.mark.parametrize(
    ("views", "settings", "status"),
    [
        ("@throttle_classes([Slow])\ndef ping(request): ...\n", "", "200-299,429"),
        ("", 'REST_FRAMEWORK = {"DEFAULT_THROTTLE_CLASSES": ["shop.Slow"]}\n', "200-299,429"),
        ("def ping(request): ...\n", 'REST_FRAMEWORK = {"DEFAULT_THROTTLE_CLASSES": []}\n', "200-299"),
    ],
)
def test_a_health_route_that_is_limited_may_say_so(look: Look, views: str, settings: str, status: str) -> None:
    text = 'from django.urls import include, path\nurlpatterns = [path("core/", include("core.urls"))]\n'
    files = {"config/urls.py": text, "core/urls.py": PING, "core/views.py": f"import rest_framework\n{views}"}
    health = drafted(look(project(SQLITE + settings) | files)).health
    assert (health.path, health.status) == ("/core/ping/", status)


@pytest.mark.parametrize(
    ("requirements", "settings", "without"),
    [
        ("django==4.0.1\nmysqlclient==2.2.8\n", SQLITE, ("mysqlclient",)),
        ("django==4.0.1\nmysqlclient==2.2.8\n", SQLITE + "# 'django.db.backends.mysql'\n", ("mysqlclient",)),
        ("django==4.0.1\nmysqlclient==2.2.8\n", SQLITE + 'OTHER = "django.db.backends.mysql"\n', ()),
        ("django==4.0.1\ntwisted-iocpsupport==1.0.2\npywin32==306\n", SQLITE, ("pywin32", "twisted-iocpsupport")),
        ("django==4.0.1\npywin32==306 ; sys_platform == 'win32'\n", SQLITE, ()),
    ],
)
def test_packages_that_are_no_use_here_are_left_out(
    look: Look, requirements: str, settings: str, without: tuple[str, ...]
) -> None:
    build = drafted(look(project(settings, requirements))).build.python
    assert build is not None
    assert build.without == without


def test_a_client_that_a_source_imports_is_not_left_out(look: Look) -> None:
    files = project(requirements="django\nmysqlclient\n") | {"shop/old.py": "import MySQLdb\n"}
    build = drafted(look(files)).build.python
    assert build is not None
    assert build.without == ()


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("backports.zoneinfo==0.2.1", "3.8"),
        ('backports.zoneinfo==0.2.1 ; python_version < "3.9"', "3.10"),
    ],
)
def test_a_backport_tells_which_python_its_author_had(plant: Plant, line: str, version: str) -> None:
    machine = Machine(cpus=2, pythons=("3.13", "3.10", "3.8"))
    build = drafted(detect(plant(project(requirements=f"django==4.0.1\n{line}\n")), machine=machine)).build.python
    assert build is not None
    assert build.version == version


@pytest.mark.parametrize(("redis", "held"), [("5.0.1", ("kombu<5.7",)), ("6.4.0", ())])
def test_what_celery_brings_is_held_back_for_an_older_client_of_redis(
    look: Look, redis: str, held: tuple[str, ...]
) -> None:
    build = drafted(look(project(requirements=f"django\ngunicorn\ncelery==5.4.0\nredis=={redis}\n"))).build.python
    assert build is not None
    assert build.extra == held


def test_settings_that_know_postgresql_alone_get_a_driver(look: Look) -> None:
    manifest = drafted(look(project(POSTGRES)))
    assert manifest.services.postgres is not None
    assert manifest.build.python is not None
    assert manifest.build.python.extra == ("psycopg2-binary",)


@pytest.mark.parametrize(
    ("production", "used"),
    [
        ("from .base import *\n", "config.settings.local"),
        ("from .base import *\nDEBUG = False\n", "config.settings.production"),
    ],
)
def test_settings_that_only_an_example_names(look: Look, production: str, used: str) -> None:
    base = project()
    settings = base.pop("config/settings.py")
    files = base | {
        "manage.py": 'import os\nfrom decouple import config\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", '
        'config("DJANGO_SETTINGS_MODULE"))\n',
        "config/settings/__init__.py": "",
        "config/settings/base.py": settings,
        "config/settings/production.py": production,
        "config/settings/local.py": 'from .base import *\nSTATIC_ROOT = "collected"\n',
        ".env.example": "DJANGO_SETTINGS_MODULE=config.settings.local\n",
    }
    manifest = drafted(look(files))
    assert manifest.env["DJANGO_SETTINGS_MODULE"].value == used


def test_an_address_of_its_own_that_has_no_default(look: Look) -> None:
    settings = SQLITE + 'FRONTEND_URL = os.environ.get("FRONTEND_URL")\nCORS_ALLOWED_ORIGINS = [FRONTEND_URL]\n'
    files = project(settings) | {".env.example": "FRONTEND_URL=http://localhost:3000\n"}
    assert drafted(look(files)).env["FRONTEND_URL"] == EnvVar(value="${url}")


@pytest.mark.parametrize(("field", "extra"), [("ImageField", ("pillow",)), ("FileField", ())])
def test_a_model_with_an_image_needs_pillow(look: Look, field: str, extra: tuple[str, ...]) -> None:
    files = project() | {"shop/models.py": f"from django.db import models\nphoto = models.{field}()\n"}
    build = drafted(look(files)).build.python
    assert build is not None
    assert build.extra == extra


def test_where_the_admin_is_has_a_usual_answer(look: Look) -> None:
    files = project() | {"shop/urls.py": "import os\nADMIN = os.environ['ADMIN_URL']\n"}
    detection = look(files)
    assert (drafted(detection).env["ADMIN_URL"].value, detection.problems) == ("admin/", ())
