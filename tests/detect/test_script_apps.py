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
            {"main.py": "from fasthtml.common import *\napp, rt = fast_app()\nserve()\n",
             "requirements.txt": "python-fasthtml\n"},
            "uvicorn main:app ",
            ".",
            id="fasthtml",
        ),
        pytest.param(
            {"app.py": "import panel as pn\npn.panel('x').servable()\n", "requirements.txt": "panel\n"},
            "panel serve app.py --address 127.0.0.1 --port $PORT",
            ".",
            id="panel",
        ),
        pytest.param(
            {"production.ini": "[app:main]\nuse = egg:shop\n[server:main]\nuse = egg:waitress#main\n",
             "setup.py": "setup(install_requires=['pyramid'])\n", "shop/__init__.py": "def main(g, **s): ...\n"},
            "gunicorn --paste production.ini --bind 127.0.0.1:$PORT",
            ".",
            id="pyramid",
        ),
        pytest.param(
            {"web/main.py": "import tornado.web\napp = tornado.web.Application([])\napp.listen(8888)\n",
             "web/requirements.txt": "tornado\n"},
            "python .underway/listen.py main.py",
            "web",
            id="tornado",
        ),
        pytest.param(
            {"app.py": "import cherrypy\ncherrypy.config.update({'server.socket_port': 9090})\n"
             "cherrypy.quickstart(R())\n", "requirements.txt": "cherrypy\n"},
            "UNDERWAY_FIXED_PORT=9090 python .underway/listen.py app.py",
            ".",
            id="cherrypy-asks-for-its-port-before-it-takes-it",
        ),
        pytest.param(
            {"a.py": "from http.server import HTTPServer\nHTTPServer(('', 80), H).serve_forever()\n",
             "z.py": "from http.server import HTTPServer\nHTTPServer(('', 81), H).serve_forever()\n",
             "requirements.txt": "", "Dockerfile": "FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD python z.py\n"},
            "python .underway/listen.py z.py",
            ".",
            id="the-one-that-the-dockerfile-starts",
        ),
        pytest.param(
            {"run.py": "import os\nserve(port=os.environ['PORT'])\n", "requirements.txt": "cherrypy\n",
             "Procfile": "web: python run.py\n"},
            "python run.py",
            ".",
            id="a-procfile-that-nothing-else-explains",
        ),
        pytest.param(
            {"main.py": "from nicegui import ui\nui.label('x')\nui.run(port=8081)\n", "requirements.txt": "nicegui\n"},
            "python .underway/listen.py main.py",
            ".",
            id="nicegui",
        ),
        pytest.param(
            {"ui/app.py": "import gradio as gr\ngr.Blocks().launch(server_name='0.0.0.0', server_port=7860)\n",
             "ui/requirements.txt": "gradio\n"},
            "python .underway/listen.py app.py",
            "ui",
            id="a-port-that-is-fixed",
        ),
        pytest.param(
            {"src/main.py": "from nicegui import ui\nfrom src.auth import a\nui.run()\n", "src/auth.py": "a = 1\n",
             "requirements.txt": "nicegui\n"},
            "python .underway/listen.py -m src.main",
            ".",
            id="imported-by-the-name-of-its-folder",
        ),
        pytest.param(
            {"main.py": "from dash import Dash\ndef main():\n    Dash(__name__).run(debug=False)\n"
             "if __name__ == '__main__':\n    main()\n", "environment/requirements.txt": "dash\n"},
            "python .underway/listen.py main.py",
            ".",
            id="dash-within-a-function",
        ),
        pytest.param(
            {"shop/__main__.py": "import asgineer\nif __name__ == '__main__':\n    asgineer.run(h, 'uvicorn', b)\n",
             "shop/__init__.py": "", "requirements.txt": "asgineer\n"},
            "python .underway/listen.py -m shop",
            ".",
            id="a-package-that-runs",
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
            {
                "cli.py": "import uvicorn\ndef serve(port):\n    uvicorn.run(make(), port=port)\n",
                "requirements.txt": "uvicorn\n",
            },
            id="a-function-that-nobody-calls",
        ),
        pytest.param(
            {"bot.py": "print(1)\n", "requirements.txt": "x\n", "Procfile": "web: python bot.py\n"}, id="no-port"
        ),
    ],
)
def test_what_only_looks_alike_is_no_app(look: Look, files: dict[str, str]) -> None:
    assert look(files).manifest is None
