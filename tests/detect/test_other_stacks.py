"""Apps of a kind that is not built here are named, and the manifest that runs them."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection
from underway.manifest.read import read_written

Look = Callable[[Mapping[str, str]], Detection]

GO = 'package main\nimport "net/http"\nfunc main() { http.ListenAndServe(":8080", nil) }\n'


@pytest.mark.parametrize(
    ("files", "kind", "where"),
    [
        ({"Gemfile": "source 'x'\n\ngem 'rails', '~> 8'\n", "package.json": '{"scripts":{"build":"esbuild x"},'
          '"devDependencies":{"esbuild":"1"}}'}, "Ruby on Rails", "Gemfile:3"),
        ({"composer.json": '{"require": {\n"laravel/framework": "^11"}}'}, "Laravel", "composer.json:2"),
        ({"go.mod": "module x\n", "cmd/web/main.go": GO}, "a Go app", "cmd/web/main.go:1"),
        ({"Cargo.toml": "[dependencies]\naxum = '0.8'\n"}, "a Rust app", "Cargo.toml:2"),
        ({"pom.xml": "<x>\n<a>spring-boot-starter</a>"}, "Spring Boot", "pom.xml:2"),
        ({"hugo.toml": "baseURL = '/'\n", "layouts/index.html": "{{ .Content }}", "content/a.md": ""}, "a Hugo site",
         "hugo.toml:1"),
        ({"_config.yml": "title: x\n", "index.html": "---\nlayout: a\n---\n"}, "a Jekyll site", "_config.yml"),
        ({"index.html": "<link data-trunk rel=rust>", "Cargo.toml": "yew = '1'"}, "Trunk", "index.html:1"),
        ({"index.php": "<?php", "style.css": ""}, "a PHP app", "index.php"),
    ],
)  # fmt: skip
def test_it_is_named_with_a_manifest_that_can_be_read(look: Look, files: dict[str, str], kind: str, where: str) -> None:
    found = look(files)
    assert found.manifest is None
    [problem] = found.problems
    assert (problem.code, problem.where) == ("detect.other-stack", where)
    assert kind in problem.why
    if problem.command:
        printf, form, *lines, into, file = shlex.split(problem.command)
        assert (printf, form, into, file) == ("printf", "%s\\n", ">", "underway.toml")
        text = "\n".join(lines)
        assert tomllib.loads(text)["app"] == "shop"
        assert read_written(text).values.keys() & {"processes", "static"}


@pytest.mark.parametrize(
    "files",
    [
        {"_config.yml": "title: x\n", "index.html": "<html>"},
        {"index.html": "<html>", "tools/gen.go": "package main\nfunc main() {}\n"},
        {"config.toml": "baseURL = 1\n", "index.html": "<html>"},
    ],
    ids=["pages-that-github-serves", "a-tool-in-go", "a-file-of-that-name"],
)
def test_plain_pages_stay_plain_pages(look: Look, files: dict[str, str]) -> None:
    assert look(files).manifest is not None


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.ipynb": "{}", "requirements.txt": "pandas\n"}, "notebooks"),
        ({"pyproject.toml": "[project]\nname = 'x'\n", "x.py": ""}, "a library or a command (pyproject.toml)"),
        ({"package.json": '{"main": "index.js"}', "index.js": "module.exports = 1"}, "a library or a command (package"),
        ({}, "no files"),
    ],
)
def test_what_is_no_app_is_told_for_what_it_is(look: Look, files: dict[str, str], says: str) -> None:
    [problem] = look(files).problems
    assert problem.code == "detect.no-app"
    assert says in problem.why


@pytest.mark.parametrize(
    ("files", "command", "packages"),
    [
        ({"mkdocs.yml": "site_name: x\ntheme:\n  name: material\n", "docs/index.md": ""},
         "mkdocs build --config-file mkdocs.yml --site-dir $PWD/underway-site", ("mkdocs", "mkdocs-material")),
        ({"mkdocs.yml": "site_name: x\n", "docs/requirements.txt": "mkdocs==1.6\nplugins\n"},
         "mkdocs build --config-file mkdocs.yml --site-dir $PWD/underway-site", ()),
        ({"docs/conf.py": "extensions = []\nhtml_theme = 'furo'\n", "docs/index.rst": ""},
         "sphinx-build -b html docs underway-site", ("sphinx", "furo")),
        ({"pelicanconf.py": "", "publishconf.py": "", "content/a.md": ""},
         "pelican content --settings publishconf.py --output underway-site", ("pelican", "markdown")),
    ],
)  # fmt: skip
def test_a_site_that_python_builds(look: Look, files: dict[str, str], command: str, packages: tuple[str, ...]) -> None:
    found = look(files)
    assert found.manifest is not None
    assert found.manifest.build.python is not None
    assert found.manifest.static is not None
    assert found.manifest.build.commands == (command,)
    assert found.manifest.build.python.extra == packages
    assert found.manifest.static.dir == "underway-site"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"package.json": '{"main": "server.js"}', "server.js": "http.createServer(f).listen(3000)"},
         "UNDERWAY_FIXED_PORT=3000 node --require ./.underway/listen.cjs server.js"),
        ({"package.json": '{"scripts": {"start": "json-server --watch db.json"}, "dependencies": {"json-server": "1"}}',
          "db.json": "{}"}, "npm start"),
    ],
)  # fmt: skip
def test_a_node_server_of_no_framework(look: Look, files: dict[str, str], command: str) -> None:
    manifest = look(files).manifest
    assert manifest is not None
    assert manifest.processes["web"].command.endswith(command)


PAGES = {
    "client/package.json": '{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "5"}}',
    "client/index.html": "",
    "client/src/main.ts": "",
}
GO = "package main\n\nfunc main() { http.ListenAndServe(addr, nil) }\n"


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("services/gateway/cmd/server/main.go", GO, "a Go app"),
        ("Server/Server.API/Server.API.csproj", '<Project Sdk="Microsoft.NET.Sdk.Web">', "an ASP.NET app"),
        ("backend/pom.xml", "<artifactId>spring-boot-starter</artifactId>", "a Spring Boot app"),
    ],
)
def test_pages_are_not_deployed_without_their_server_unasked(look: Look, path: str, text: str, kind: str) -> None:
    [problem] = look({**PAGES, path: text}).problems
    assert problem.code == "detect.other-stack"
    assert problem.where.startswith(path)
    assert f"beside the pages in client there is {kind}" in problem.why
    assert problem.command == "underway deploy client"


@pytest.mark.parametrize("path", ["client/mock/cmd/api/main.go", "tools/gen/cmd/api/main.go", "server/lib.go"])
def test_pages_with_no_server_of_another_kind_are_deployed(look: Look, path: str) -> None:
    text = GO if path.endswith("main.go") else "package lib"
    assert look({**PAGES, path: text}).problems == ()
