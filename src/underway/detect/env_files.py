"""Names of variables in what stands beside the code: `.env.example`, compose, Dockerfiles, CI, files of other hosts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from underway.detect.index import Index
from underway.detect.model import Evidence
from underway.detect.yamlish import Node, read_yaml

_NAME = r"[A-Za-z_][A-Za-z0-9_]{1,100}"
_COMPOSE = r"(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml"
_FILLED = re.compile(rf"\$\{{({_NAME})(?:(:?[-?+])[^}}]{{0,500}})?\}}")
_OF_SERVICES = re.compile(
    r"postgres|pgvector|mysql|mariadb|redis|valkey|mongo|rabbitmq|traefik|nginx|caddy|minio|mailhog|mailpit"
)
_MOST_FILES = 12

_Found = Iterator[tuple[str, Evidence, bool]]
"""A name, where it stands, whether the file itself refuses to go on without it."""


def named_in_files(index: Index) -> _Found:
    """Every name in such files. Those that only configure a database or a proxy beside the app are left out."""
    yield from _compose(index)
    yield from _dockerfiles(index)
    yield from _examples(index)
    yield from _workflows(index)
    yield from _hosts(index)


def _compose(index: Index) -> _Found:
    for path in index.matching(_COMPOSE)[:_MOST_FILES]:
        text = index.text(path)
        for service in list(read_yaml(text).at("services").entries.values())[:60]:
            image = service.at("image").text
            if _OF_SERVICES.search(image) and not service.at("build").is_there:
                continue
            yield from _block(path, service.at("environment"))
            for value in [
                *service.at("environment").entries.values(),
                *service.at("environment").items,
                service.at("command"),
            ]:
                for found in _FILLED.finditer(value.text):
                    yield found[1], Evidence(path, value.line), (found[2] or "").endswith("?")


def _block(path: str, node: Node) -> _Found:
    for name, value in node.entries.items():
        if re.fullmatch(_NAME, name):
            yield name, Evidence(path, value.line), False
    for item in node.items:
        name = item.text.partition("=")[0].strip()
        if re.fullmatch(_NAME, name):
            yield name, Evidence(path, item.line), False


def _dockerfiles(index: Index) -> _Found:
    """What is set for the app or asked for at its build, not what one stage hands the next."""
    for path in index.matching(r"dockerfile([.-][\w.-]+)?|[\w-]+\.dockerfile")[:_MOST_FILES]:
        for number, line in enumerate(index.text(path).split("\n")[:2000], 1):
            if found := re.match(rf"\s*(?:ENV|ARG)\s+({_NAME})(?=[\s=]|$)", line):
                yield found[1], Evidence(path, number), False


_EXAMPLE = (
    r"\.?env[._-](?:example|sample|template|dist)[\w.-]*|[\w-]+\.env\.(?:example|sample|template|dist)|"
    r"example\.env|sample\.env"
)


def _examples(index: Index) -> _Found:
    for path in index.matching(_EXAMPLE)[:_MOST_FILES]:
        for number, line in enumerate(index.text(path).split("\n")[:1000], 1):
            if found := re.match(rf"\s*(?:export\s+)?({_NAME})\s*=", line):
                yield found[1], Evidence(path, number), False


_SECRET = re.compile(rf"\$\{{\{{\s*secrets\.({_NAME})\s*\}}\}}")
_OF_GITHUB = ("GITHUB_", "ACTIONS_", "RUNNER_")


def _workflows(index: Index) -> _Found:
    """Secrets that GitHub's and GitLab's pipelines hand on by name."""
    for path in [each for each in index.paths if re.match(r"\.github/workflows/[\w.-]+\.ya?ml$", each)][:_MOST_FILES]:
        for number, line in enumerate(index.text(path).split("\n")[:3000], 1):
            for found in _SECRET.finditer(line):
                if not found[1].startswith(_OF_GITHUB):
                    yield found[1], Evidence(path, number), False


def _hosts(index: Index) -> _Found:
    """What the files of other hosts say: Heroku's app.json, Render's render.yaml, Fly's fly.toml, Procfile."""
    for path in index.named("app.json")[:2]:
        try:
            body = json.loads(index.text(path) or "{}")
        except (ValueError, RecursionError):
            continue
        env = body.get("env") if isinstance(body, dict) else None
        for name, says in env.items() if isinstance(env, dict) else ():
            if isinstance(name, str) and re.fullmatch(_NAME, name):
                is_required = isinstance(says, dict) and says.get("required") is True
                yield name, index.line(path, f'"{name}"'), is_required and "value" not in says
    for path in index.named("render.yaml", "render.yml")[:2]:
        for service in read_yaml(index.text(path)).at("services").items[:40]:
            for item in service.at("envVars").items:
                if re.fullmatch(_NAME, name := item.at("key").text):
                    yield name, Evidence(path, item.line), False
    for path in index.named("fly.toml")[:2]:
        is_env = False
        for number, line in enumerate(index.text(path).split("\n")[:1000], 1):
            is_env = line.strip() == "[env]" if line.lstrip().startswith("[") else is_env
            if is_env and (found := re.match(rf"""\s*["']?({_NAME})["']?\s*=""", line)):
                yield found[1], Evidence(path, number), False
    for path in index.named("Procfile")[:2]:
        for number, line in enumerate(index.text(path).split("\n")[:200], 1):
            for found in re.finditer(r"\$\{?([A-Z][A-Z0-9_]{1,100})", line):
                yield found[1], Evidence(path, number), False
