"""Compose files, Dockerfiles and shell lines as they are really written."""

from __future__ import annotations

import pytest

from underway.detect.dockerfile import read_dockerfile
from underway.detect.index import Index
from underway.detect.model import Evidence
from underway.detect.shell import simple_commands
from underway.detect.yamlish import Node, read_yaml
from underway.terms.tree import Tree


def plain(node: Node) -> object:
    if node.entries:
        return {key: plain(value) for key, value in node.entries.items()}
    if node.items:
        return [plain(item) for item in node.items]
    return node.text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb:\n  c: two words # why\n  d: 'it''s'\n", {"a": "1", "b": {"c": "two words", "d": "it's"}}),
        ("a:\n  - x\n  - y: 1\n    z: 2\n  -\n    - deep\n", {"a": ["x", {"y": "1", "z": "2"}, ["deep"]]}),
        ("a:\n- x\n- y\nb: 1\n", {"a": ["x", "y"], "b": "1"}),
        ('a: ["CMD", "curl -f", http://x:80/]\n', {"a": ["CMD", "curl -f", "http://x:80/"]}),
        ("a: {b: 1, c: [x, y], d: {e: f}}\n", {"a": {"b": "1", "c": ["x", "y"], "d": {"e": "f"}}}),
        ("a: [\n  x,\n  y\n]\nb: 2\n", {"a": ["x", "y"], "b": "2"}),
        ("a: |\n  one\n  two\nb: >-\n  three\n  four\n", {"a": "one\ntwo", "b": "three four"}),
        ("x: &base\n  a: 1\n  b: 2\ny:\n  <<: *base\n  b: 3\nz: *base\n", {
            "x": {"a": "1", "b": "2"}, "y": {"a": "1", "b": "3"}, "z": {"a": "1", "b": "2"}}),
        ('url: "http://x/#frag" # c\n', {"url": "http://x/#frag"}),
        ("command: sh -c\n  'a &&\n  b'\n", {"command": "sh -c 'a && b'"}),
        ("- a: 1\n- b\n", [{"a": "1"}, "b"]),
        ("", ""),
        ("a: 1\n---\nb: 2\n", {"a": "1"}),
        ("\ta: 1\n", {"a": "1"}),
        ("a: *unknown\n", {"a": ""}),
    ],
)  # fmt: skip
def test_yaml(text: str, value: object) -> None:
    assert plain(read_yaml(text)) == value


def test_yaml_lines() -> None:
    node = read_yaml("# head\n\nservices:\n  db:\n    # which\n    image: postgres\n")
    assert node.at("services", "db", "image").line == 6


@pytest.mark.parametrize(
    "text",
    [
        "a: " * 5000,
        "- " * 5000,
        "[" * 5000,
        "a:\n" + "".join(" " * n + "a:\n" for n in range(2000)),
        "&a *a",
        "? x",
        "<<: 1",
    ],
)
def test_hostile_yaml_is_read_as_far_as_it_goes(text: str) -> None:
    assert isinstance(read_yaml(text), Node)


def test_a_dockerfiles_last_stage_decides() -> None:
    text = (
        "ARG V=3.12\nFROM node:20 AS web\nCMD npm start\nFROM python:${V}-slim\nENV A=1 B='two words'\nENV C three\n"
        "WORKDIR /app\nWORKDIR src\n# note\nHEALTHCHECK --interval=5s \\\n"
        "    # inside\n    CMD curl -f http://localhost/up\n"
        'ENTRYPOINT ["./run.sh"]\nCMD ["uvicorn", "a b"]\n'
    )
    docker = read_dockerfile("Dockerfile", text)
    assert docker.images[-1] == ("python:3.12-slim", 4)
    assert docker.env == {"A": "1", "B": "two words", "C": "three"}
    assert docker.workdir == "/app/src"
    assert docker.command == "./run.sh uvicorn 'a b'"
    assert docker.command_line == 14
    assert (docker.healthcheck, docker.healthcheck_line) == ("curl -f http://localhost/up", 10)


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("uvicorn a:b --port $PORT", [("uvicorn", "a:b", "--port", "$PORT")]),
        ("exec env A=1 poetry run uvicorn a:b", [("uvicorn", "a:b")]),
        ("uv run --frozen --package api uvicorn a:b", [("uvicorn", "a:b")]),
        ("python -m gunicorn a:b", [("gunicorn", "a:b")]),
        ("sh -c 'alembic upgrade head && exec gunicorn a:b'", [("alembic", "upgrade", "head"), ("gunicorn", "a:b")]),
        ("a; b || c | d", [("a",), ("b",), ("c",), ("d",)]),
        ("./start.sh", [("echo", "hi"), ("uvicorn", "x:y", "--reload")]),
        ("bash bin/start.sh", [("echo", "hi"), ("uvicorn", "x:y", "--reload")]),
        ("./loop.sh", []),
        ("unclosed 'quote", [("unclosed", "'quote")]),
        ("", []),
    ],
)
def test_shell_lines(line: str, commands: list[tuple[str, ...]]) -> None:
    script = "#!/bin/sh\n# a note\necho hi\nexec uvicorn x:y \\\n  --reload\n"
    files = {"start.sh": script, "bin/start.sh": script, "loop.sh": "./loop.sh\n"}
    index = Index(Tree("shop", tuple(sorted(files)), files))
    assert [c.words for c in simple_commands(line, Evidence("Procfile", 1), index)] == commands


STAGES = """\
FROM python:3.12-slim AS base
WORKDIR /srv
ENV A=1
CMD uvicorn main:app
FROM base AS development
RUN pip install debugtools
CMD uvicorn main:app --reload
FROM base AS production
COPY . .
HEALTHCHECK CMD curl localhost/up
FROM production AS test
RUN pip install pytest
CMD pytest
"""


@pytest.mark.parametrize(
    ("target", "command", "healthcheck"),
    [
        ("", "uvicorn main:app", "curl localhost/up"),
        ("production", "uvicorn main:app", "curl localhost/up"),
        ("base", "uvicorn main:app", ""),
        ("development", "uvicorn main:app", "curl localhost/up"),
    ],
)
def test_a_stage_goes_on_from_another_and_those_of_developers_do_not_count(
    target: str, command: str, healthcheck: str
) -> None:
    docker = read_dockerfile("Dockerfile", STAGES, target)
    assert (docker.command, docker.healthcheck, docker.workdir, docker.env) == (
        command,
        healthcheck,
        "/srv",
        {"A": "1"},
    )
    assert docker.images == [("python:3.12-slim", 1)]
    assert not docker.runs, "what developers install is not installed"


def test_an_entrypoint_forgets_the_command_before_it() -> None:
    text = 'FROM x AS a\nCMD serve\nFROM a\nENTRYPOINT ["go"]\n'
    assert read_dockerfile("Dockerfile", text).command == "go"
