"""Packages that no file of a package manager names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection

Look = Callable[[Mapping[str, str]], Detection]

API = "from fastapi import FastAPI\napp = FastAPI()\n"
DOCKER = "FROM python:3.12\nWORKDIR /app\n{run}\nCOPY . .\nCMD uvicorn main:app --host 0.0.0.0 --port 80\n"


@pytest.mark.parametrize(
    ("files", "requirements", "extra"),
    [
        pytest.param(
            {"Dockerfile": DOCKER.format(run="RUN pip install --no-cache-dir -i https://x.org fastapi "
             "'uvicorn[standard]' sqlalchemy==2.0.30")},
            (), ("fastapi", "uvicorn[standard]", "sqlalchemy==2.0.30"), id="only-a-dockerfile-names-them",
        ),
        pytest.param(
            {"Dockerfile": DOCKER.format(run="RUN pip install -U pip && pip install -r requirements.txt uvicorn "
             "psycopg2-binary ./lib poetry"),
             "requirements.txt": "fastapi\n"},
            ("requirements.txt",), ("uvicorn", "psycopg2-binary"), id="a-dockerfile-adds-to-the-file",
        ),
        pytest.param(
            {"Dockerfile.dev": DOCKER.format(run="RUN pip install debugtools"),
             "requirements.txt": "fastapi\nuvicorn\n"},
            ("requirements.txt",), (), id="a-developers-dockerfile-adds-nothing",
        ),
        pytest.param(
            {"environment.yml": "name: x\ndependencies:\n  - python=3.11\n  - fastapi\n  - conda-forge::uvicorn=0.30\n"
             "  - numpy=1.26.4=py311_0\n  - nodejs\n  - pip:\n    - httpx==0.27.0\n"},
            (), ("fastapi", "uvicorn==0.30.*", "numpy==1.26.4", "httpx==0.27.0"), id="conda",
        ),
        pytest.param({"requirements.in": "fastapi\nuvicorn\n"}, ("requirements.in",), (), id="what-a-lock-is-of"),
        pytest.param(
            {"store.py": "import os, yaml\nimport sqlalchemy.orm as orm\nfrom models import Base\n",
             "models.py": "Base = 1\n",
             "forms.py": "from fastapi import Form, UploadFile\ndef f(x=Form(...)): ...\n"},
            (), ("fastapi", "python-multipart", "pyyaml", "sqlalchemy", "uvicorn"), id="only-imported",
        ),
    ],
)  # fmt: skip
def test_packages_are_taken_from_what_names_them(
    look: Look, files: dict[str, str], requirements: tuple[str, ...], extra: tuple[str, ...]
) -> None:
    found = look({"main.py": API, **files})
    assert found.manifest is not None
    assert found.manifest.build.python is not None
    python = found.manifest.build.python
    assert (python.manager, python.requirements) == ("pip", requirements)
    assert sorted(python.extra) == sorted(extra)
    assert not [p for p in found.problems if p.code == "detect.no-dependencies"]


def test_what_conda_runs_on_is_the_interpreter(look: Look) -> None:
    manifest = look({"main.py": API, "environment.yml": "dependencies:\n- python=3.11\n- fastapi\n"}).manifest
    assert manifest is not None
    assert manifest.build.python is not None
    assert manifest.build.python.version in ("", "3.11")


def test_a_name_that_anybody_could_own_is_asked_for_and_never_installed(look: Look) -> None:
    found = look({"main.py": "import yaml\nimport ourlib.tools\n" + API})
    [problem] = [p for p in found.problems if p.code == "detect.no-dependencies"]
    assert problem.where == "main.py:2"
    assert "ourlib" in problem.why
    assert problem.command == "uv init --bare && uv add pyyaml fastapi ourlib"
    assert found.manifest is None or found.manifest.build.python is None
