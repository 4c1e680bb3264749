"""Variables that files of settings name, where what reads those files fills them in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from underway.detect.index import Index
from underway.detect.model import Evidence
from underway.detect.python_code import EnvRead
from underway.detect.yamlish import Node, read_yaml

_NAME = r"[A-Z][A-Z0-9_]{1,80}"
_PRISMA = re.compile(rf'\benv\(\s*"({_NAME})"\s*\)')
_SPRING = re.compile(rf"\$\{{({_NAME})(?::([^}}\n]{{0,200}}))?\}}")
_SYMFONY = re.compile(rf"%env\((?:\w+:){{0,5}}({_NAME})\)%")
_FILLED = re.compile(rf"\$[{{(]({_NAME})(?::?-([^}})\n]{{0,200}}))?[}})]")
_FILLS = re.compile(
    r"\bexpandvars\(|\bos\.ExpandEnv\(|\bos\.Expand\(|\bexpand_?[eE]nv\w*\(|\benvsubst\b|\binterpolate[Ee]nv\w*\("
)
_CONFIG = re.compile(r"['\"`](?:[\w./-]{0,80}/)?([\w.-]{1,60}\.(?:ya?ml|toml|json5?|ini|cfg|conf))['\"`]")
_HASH = re.compile(r"(?m)^[ \t]*(?:#|//|;).*$")


def config_reads(index: Index) -> Iterator[EnvRead]:
    """Names in Prisma's schema, Spring's and Symfony's settings, node-config's table of names, and in settings that a
    source of the tree opens by name and fills in itself."""
    for path in index.ending(".prisma"):
        yield from _found(path, _HASH.sub("", index.text(path)), _PRISMA)
    for path in index.matching(r"application[\w-]*\.(?:ya?ml|properties)"):
        if "/resources/" in path or path.startswith("config/"):
            yield from _found(path, _HASH.sub("", index.text(path)), _SPRING)
    for path in index.ending(".yaml", ".yml"):
        if "config/" in path and "%env(" in (text := index.text(path)):
            yield from _found(path, _HASH.sub("", text), _SYMFONY)
    for path in index.matching(r"custom-environment-variables\.(?:json|ya?ml)")[:4]:
        text = index.text(path)
        for name in _leaves(text) if path.endswith("json") else _yaml_leaves(read_yaml(text), 0):
            yield EnvRead(name, index.line(path, name), is_required=False)
    yield from _filled_by_the_app(index)


def _found(path: str, text: str, pattern: re.Pattern[str]) -> Iterator[EnvRead]:
    for found in pattern.finditer(text):
        default = found[2] if pattern.groups > 1 else None
        yield EnvRead(found[1], Evidence.at(path, text, found.start()), is_required=False, default=default)


def _leaves(text: str) -> list[str]:
    """The texts of node-config's `custom-environment-variables.json`: each is a name, or `__name` holds it."""
    try:
        waiting: list[object] = [json.loads(text or "{}")]
    except (ValueError, RecursionError):
        return []
    out: list[str] = []
    while waiting and len(out) < 500:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [one["__name"]] if "__name" in one else list(one.values())
        elif isinstance(one, str) and re.fullmatch(_NAME, one):
            out.append(one)
    return out


def _yaml_leaves(node: Node, depth: int) -> Iterator[str]:
    if re.fullmatch(_NAME, node.text):
        yield node.text
    if depth < 8:
        for key, value in list(node.entries.items())[:200]:
            if key != "__format":
                yield from _yaml_leaves(value, depth + 1)


def _filled_by_the_app(index: Index) -> Iterator[EnvRead]:
    """`${X}` in a file that a source names, when that source has a call that fills such texts in."""
    seen: set[str] = set()
    for path in index.ending(".py", ".js", ".ts", ".mjs", ".go", ".rb"):
        text = index.text(path)
        if not _FILLS.search(text):
            continue
        for found in list(_CONFIG.finditer(text))[:20]:
            for config in index.named(found[1])[:2]:
                if config not in seen and len(seen) < 20:
                    seen.add(config)
                    yield from _found(config, _HASH.sub("", index.text(config)), _FILLED)
