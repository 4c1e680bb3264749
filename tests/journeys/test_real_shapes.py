"""Trees with the shape of real repositories, deployed with no manifest through the real parts and the real index."""

from __future__ import annotations

import re
import subprocess

import pytest
from uv import find_uv_bin

DJANGO = {
    "requirements.txt": "Django==5.2.8\npsycopg[binary]==3.2.13\nwhitenoise==6.11.0\ndj-database-url==3.0.1\n",
    "runtime.txt": "python-3.12.4\n",
    "Procfile": "release: python manage.py migrate --noinput\nweb: gunicorn shop.wsgi --log-file -\n",
    "manage.py": """\
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
""",
    "shop/__init__.py": "",
    "shop/settings.py": """\
import os
from pathlib import Path
import dj_database_url

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = os.environ.get("DEBUG", "True") == "True"
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "").split(",")
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.staticfiles", "visits"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "whitenoise.middleware.WhiteNoiseMiddleware"]
ROOT_URLCONF = "shop.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
WSGI_APPLICATION = "shop.wsgi.application"
DATABASES = {"default": dj_database_url.config()}
if os.environ.get("CI"):
    DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "ci", "HOST": "127.0.0.1"}}
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
""",
    "shop/urls.py": "from django.urls import path\nfrom visits.views import page\nurlpatterns = [path('', page)]\n",
    "shop/wsgi.py": """\
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()
""",
    "visits/__init__.py": "",
    "visits/models.py": """\
from django.db import models

class Visit(models.Model):
    at = models.DateTimeField(auto_now_add=True)
""",
    "visits/migrations/__init__.py": "",
    "visits/migrations/0001_initial.py": """\
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Visit",
            [("id", models.BigAutoField(primary_key=True)), ("at", models.DateTimeField(auto_now_add=True))],
        )
    ]
""",
    "visits/views.py": """\
from django.db import connection
from django.shortcuts import render
from visits.models import Visit

def page(request):
    Visit.objects.create()
    return render(request, "page.html", {"visits": Visit.objects.count(), "vendor": connection.vendor})
""",
    "visits/templates/page.html": (
        "{% load static %}<link rel=stylesheet href='{% static \"shop.css\" %}'>"
        "<p>visit {{ visits }} in {{ vendor }}</p>\n"
    ),
    "visits/static/shop.css": "p { color: seagreen }\n",
}

LETTERS = {
    "backend/requirements.txt": "fastapi==0.115.12\n",
    "backend/app/__init__.py": "",
    "backend/app/main.py": """\
import os
from fastapi import FastAPI

KEY = os.environ["SECRET_KEY"]
app = FastAPI()


@app.get("/api/letters")
def letters():
    return {"letters": "abc", "key_length": len(KEY)}


@app.get("/api/healthz")
def healthz():
    return {"ok": True}
""",
    "frontend/index.html": "<!doctype html><title>Letters</title><script src=letters.js></script>\n",
    "frontend/letters.js": "fetch('/api/letters')\n",
}


@pytest.fixture(autouse=True)
def online():
    """Skips unless the Python package index can be reached."""
    asked = subprocess.run(
        [find_uv_bin(), "pip", "compile", "--quiet", "--no-cache", "-"],
        input="whitenoise==6.11.0\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if asked.returncode != 0:
        pytest.skip(f"the package index cannot be reached: {asked.stderr.strip()[-200:]}")


def plant(world, name, files):
    path = world.root / "apps" / name
    for inner, text in files.items():
        (path / inner).parent.mkdir(parents=True, exist_ok=True)
        (path / inner).write_text(text)
    return path


def test_django_with_postgres_and_whitenoise(shared_world):
    path = plant(shared_world, "shop", DJANGO)
    first = shared_world.deploy(path, "--yes", timeout=180)
    assert first["outcome"] == "live", first
    page = shared_world.ask("/", app="shop").text
    visits = int(re.search(r"visit (\d+) in postgresql", page)[1])
    sheet = re.search(r"href='(/static/shop\.[0-9a-f]+\.css)'", page)[1]
    styled = shared_world.ask(sheet, app="shop")
    assert (styled.status, styled.text) == (200, DJANGO["visits/static/shop.css"])

    (path / "visits/static/shop.css").write_text("p { color: plum }\n")
    second = shared_world.deploy(path, "--yes", timeout=180)
    assert second["outcome"] == "live", second
    page = shared_world.ask("/", app="shop").text
    assert int(re.search(r"visit (\d+) in postgresql", page)[1]) > visits, "the rows are those of the first release"
    assert sheet not in page
    assert shared_world.run("rollback", "shop").returncode == 0
    assert sheet in shared_world.ask("/", app="shop").text


def test_an_api_in_a_folder_with_pages_beside_it(shared_world):
    live = shared_world.deploy(plant(shared_world, "letters", LETTERS), "--yes", timeout=180)
    assert live["outcome"] == "live", live
    assert "<title>Letters</title>" in shared_world.ask("/", app="letters").text
    assert shared_world.ask("/letters.js", app="letters").headers["Content-Type"].startswith("text/javascript")
    answer = shared_world.ask("/api/letters", app="letters").json()
    assert answer["letters"] == "abc"
    assert answer["key_length"] >= 32
    assert shared_world.ask("/api/nothing", app="letters").status == 404


def test_a_server_that_insists_on_a_port_is_replaced_all_the_same(shared_world):
    """It also listens on every address by itself; what runs listens on loopback and on the port of its slot."""
    server = "require('http').createServer((asked, answer) => answer.end('ONE')).listen(3000)\n"
    files = {
        "package.json": '{"scripts": {"start": "node server.js"}, "dependencies": {"express": "file:x"}}',
        "x/package.json": '{"name": "express", "version": "4.0.0"}',
        "server.js": server,
    }
    path = plant(shared_world, "chat", files)
    assert shared_world.deploy(path, "--yes", timeout=180)["outcome"] == "live"
    assert shared_world.ask("/", app="chat").text == "ONE"
    (path / "server.js").write_text(server.replace("ONE", "TWO"))
    assert shared_world.deploy(path, "--yes", timeout=180)["outcome"] == "live"
    assert shared_world.ask("/", app="chat").text == "TWO"
    assert shared_world.run("rollback", "chat").returncode == 0
    assert shared_world.ask("/", app="chat").text == "ONE"
