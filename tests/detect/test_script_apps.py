"""Apps that bring their own server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection

Look = Callable[[Mapping[str, str]], Detection]

STREAMLIT = "import streamlit as st\nst.title('Shop')\n"


@pytest.mark.parametrize(
    ("files", "begins", "cwd"),
    [
        pytest.param(
            {"streamlit_app.py": STREAMLIT, "pages/two.py": STREAMLIT, "requirements.txt": "streamlit\n"},
            "streamlit run streamlit_app.py --server.address 127.0.0.1 --server.port $PORT",
            ".",
            id="streamlit",
        ),
        pytest.param(
            {"src/shop.py": STREAMLIT, "requirements.txt": "streamlit\n", "other.py": STREAMLIT,
             "Procfile": "web: sh setup.sh && streamlit run src/shop.py\n"},
            "streamlit run src/shop.py ",
            ".",
            id="streamlit-as-the-procfile-names-it",
        ),
        pytest.param(
            {"ui/app.py": STREAMLIT, "ui/requirements.txt": "streamlit\n"},
            "streamlit run app.py ",
            "ui",
            id="in-a-folder",
        ),
        pytest.param(
            {"app.py": "import gradio as gr\ngr.Interface(f, 'text', 'text').launch()\n", "requirements.txt": "gradio"},
            "GRADIO_SERVER_NAME=127.0.0.1 GRADIO_SERVER_PORT=$PORT",
            ".",
            id="gradio",
        ),
        pytest.param(
            {"app.py": "from dash import Dash\napp = Dash(__name__)\nserver = app.server\n",
             "requirements.txt": "dash\n"},
            "gunicorn app:server ",
            ".",
            id="dash",
        ),
        pytest.param(
            {"app.py": "import chainlit as cl\n@cl.on_message\ndef f(m): ...\n", "requirements.txt": "chainlit\n"},
            "chainlit run app.py --headless",
            ".",
            id="chainlit",
        ),
        pytest.param(
            {"run.py": "import os\nserve(port=os.environ['PORT'])\n", "requirements.txt": "cherrypy\n",
             "Procfile": "web: python run.py\n"},
            "python run.py",
            ".",
            id="a-procfile-that-nothing-else-explains",
        ),
    ],
)  # fmt: skip
def test_a_script_is_started_as_its_framework_says(look: Look, files: dict[str, str], begins: str, cwd: str) -> None:
    manifest = look(files).manifest
    assert manifest is not None
    assert manifest.processes["web"].command.startswith(begins)
    assert manifest.processes["web"].cwd == cwd


def test_streamlit_has_a_health_path_of_its_own(look: Look) -> None:
    manifest = look({"app.py": STREAMLIT, "requirements.txt": "streamlit\n"}).manifest
    assert manifest is not None
    assert manifest.health.path == "/_stcore/health"


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"lib.py": STREAMLIT, "requirements.txt": "numpy\n"}, id="no-dependency"),
        pytest.param({"test_app.py": STREAMLIT, "requirements.txt": "streamlit\n"}, id="only-a-test"),
        pytest.param(
            {"bot.py": "print(1)\n", "requirements.txt": "x\n", "Procfile": "web: python bot.py\n"}, id="no-port"
        ),
    ],
)
def test_what_only_looks_alike_is_no_app(look: Look, files: dict[str, str]) -> None:
    assert look(files).manifest is None
