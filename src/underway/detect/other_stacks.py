"""What Underway neither installs nor builds by itself, named with the manifest that lets its own tools do it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from underway.detect.index import Index
from underway.detect.model import Evidence, Notes
from underway.manifest.model import MANIFEST_FILE


@dataclass(frozen=True)
class _Stack:
    """`file` is a pattern of file names, `says` what stands in it. `build` and `web` are the lines of a manifest,
    `static` the folder of pages that the build makes."""

    name: str
    file: str
    says: str
    build: str = ""
    web: str = ""
    static: str = ""
    beside: tuple[str, ...] = ()
    """One of these folders is there too."""


_STACKS = (
    _Stack("a Ruby on Rails app", r"gemfile", r"^\s*gem\s+['\"]rails['\"]",
           "bundle install && bin/rails assets:precompile", "bin/rails server -e production -b 127.0.0.1 -p $PORT"),
    _Stack("a Jekyll site", r"gemfile", r"^\s*gem\s+['\"](?:jekyll|github-pages)['\"]",
           "bundle install && bundle exec jekyll build", static="_site"),
    _Stack("a Ruby app", r"config\.ru", r"\brun\b", "bundle install", "bundle exec puma -b tcp://127.0.0.1:$PORT"),
    _Stack("a Laravel app", r"composer\.json", r'"laravel/framework"'),
    _Stack("a PHP app", r"composer\.json|index\.php|wp-config(-sample)?\.php", r""),
    _Stack("a Phoenix app", r"mix\.exs", r":phoenix\b", "mix deps.get --only prod && MIX_ENV=prod mix release",
           "PHX_SERVER=true bin/server"),
    _Stack("a Spring Boot app", r"pom\.xml", r"spring-boot", "mvn -q package -DskipTests",
           "java -jar target/*.jar --server.address=127.0.0.1 --server.port=$PORT"),
    _Stack("a Spring Boot app", r"build\.gradle(\.kts)?", r"spring-?boot", "gradle bootJar",
           "java -jar build/libs/*.jar --server.address=127.0.0.1 --server.port=$PORT"),
    _Stack("a Java app", r"pom\.xml|build\.gradle(\.kts)?", r""),
    _Stack("an ASP.NET app", r"[\w.-]+\.csproj", r"Microsoft\.NET\.Sdk\.Web", "dotnet publish -c Release -o out",
           "ASPNETCORE_URLS=http://127.0.0.1:$PORT dotnet out/APP.dll"),
    _Stack("a Go app", r"[\w-]+\.go", r"^package main\b(?=[\s\S]*(?:ListenAndServe|\bfiber\.New|\bgin\.(?:Default|New)|"
           r"\becho\.New|\bchi\.New|\.Run\())", "go build -o bin/web .", "bin/web"),
    _Stack("a Rust app", r"cargo\.toml", r"^(?:axum|actix-web|rocket|warp|poem|salvo|leptos_axum|tide)\b",
           "cargo build --release", "target/release/APP"),
    _Stack("a Deno app", r"deno\.jsonc?", r"", web="deno task start"),
    _Stack("a Hugo site", r"(hugo|config)\.(toml|ya?ml)", r"^\s*(?:baseURL|languageCode)\b", "hugo --minify",
           static="public", beside=("content", "layouts", "archetypes", "themes")),
    _Stack("a Zola site", r"config\.toml", r"^base_url\s*=", "zola build", static="public",
           beside=("content", "templates")),
    _Stack("a Jekyll site", r"_config\.yml", r"", "bundle exec jekyll build", static="_site"),
    _Stack("a front end in Rust, built by Trunk", r"index\.html", r"\bdata-trunk\b", "trunk build --release",
           static="dist"),
    _Stack("a Reflex app", r"rxconfig\.py", r"\brx\.Config\("),
)  # fmt: skip


def other_stack(index: Index, notes: Notes) -> bool:
    """Note the problem and return True when the root holds an app of another kind."""
    for stack in _STACKS:
        if (at := _found(index, stack)) is not None:
            remedy, command = _remedy(stack, _name(index))
            why = f"this is {stack.name}, and Underway installs and builds Python, Node and plain pages by itself"
            notes.problem("detect.other-stack", at, why, remedy, command)
            return True
    return False


_TOOLS = re.compile(r"(^|/)(tools?|scripts?|mocks?|infra\w*|lambdas?|functions|deploy\w*|terraform|ci)/")


def server_beside(index: Index, pages: str) -> tuple[str, Evidence] | None:
    """A server of another kind ("a Go app") outside the folder `pages`, and where: what they call."""
    inside = f"{pages}/" if pages else "\0"

    def is_no_server(path: str) -> bool:
        return path.startswith(inside) or bool(_TOOLS.search(path))

    for stack in _STACKS:
        if stack.web and stack.says and (at := _found(index, stack, deepest=5, but=is_no_server)) is not None:
            return stack.name, at
    return None


def _remedy(stack: _Stack, name: str) -> tuple[str, str]:
    """What to do, and the command that writes the manifest."""
    lines = [f'app = "{name}"']
    lines += [f'build.commands = ["{stack.build}"]'] if stack.build else []
    lines += [f'processes.web = "{stack.web}"'] if stack.web else []
    lines += [f'static.dir = "{stack.static}"'] if stack.static else []
    if len(lines) == 1:
        return "deploy a folder of it that holds an app of Python or Node, or pages: underway deploy FOLDER", ""
    waits = " and it listens on $PORT and 127.0.0.1" if stack.web and "$PORT" not in stack.web else ""
    remedy = (
        f"where its own tools are installed{waits}, a manifest runs it: write one with this command, and deploy again"
    )
    return remedy, "printf '%s\\n' " + " ".join(f"'{line}'" for line in lines) + f" > {MANIFEST_FILE}"


def _found(
    index: Index, stack: _Stack, deepest: int = 0, but: Callable[[str], bool] = lambda path: False
) -> Evidence | None:
    if stack.beside and not any(folder in index.folders for folder in stack.beside):
        return None
    says = re.compile(stack.says, re.MULTILINE)
    deepest = max(deepest, 2 if stack.name == "a Go app" else 0)  # cmd/web/main.go
    for path in index.matching(stack.file):
        if path.count("/") > deepest or but(path) or (path == "_config.yml" and _is_plain_page(index)):
            continue
        text = index.text(path)
        if found := says.search(text):
            start = found.start() + len(found[0]) - len(found[0].lstrip())
            return Evidence.at(path, text, start) if stack.says else Evidence(path)
    return None


def _is_plain_page(index: Index) -> bool:
    """True for a page at the root without the front matter that Jekyll looks for: nothing has to be built."""
    return index.has("index.html") and not index.text("index.html").startswith("---")


def _name(index: Index) -> str:
    return re.sub(r"[^a-z0-9]+", "-", index.tree.name.lower()).strip("-")[:40] or "app"


def no_app(index: Index) -> str:
    """Why there is nothing to deploy, as far as the files say what they are instead."""
    if not index.paths:
        return "the repository has no files"
    template = next(iter(index.named("copier.yml", "copier.yaml", "cookiecutter.json")), "")
    if template and any("{{" in path or path.endswith(".jinja") for path in index.paths):
        return (
            f"this is a template for new projects ({template}): make a project of it, and deploy that; nothing here is "
            "an app yet"
        )
    package = next(iter(index.named("pyproject.toml", "setup.py", "package.json")), "")
    if index.ending(".ipynb"):
        kind = "these are notebooks, and nothing here serves them: "
    elif package:
        kind = f"this looks like a library or a command ({package}): "
    else:
        kind = ""
    return (
        f"{kind}nothing here looks like a web app: no FastAPI, Starlette, Litestar, Django or Flask app, no "
        "package.json with a server or a front-end build, no index.html, no Procfile, compose file or Dockerfile that "
        "starts one"
    )
