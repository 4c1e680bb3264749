"""Settings that are read by a prefix, not by name: Flask's and Quart's `from_prefixed_env`, Dynaconf, and
django-configurations."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from underway.detect.model import Evidence
from underway.detect.python_code import EnvRead, PyFile, PythonCode, dotted_name, literal

_EXAMPLE = r"(?:[\w-]+)?\.?env(?:[._-](?:example|sample|template|dist|development|dev))?|[\w-]+\.env(?:\.[\w-]+)?"


def prefixed_reads(code: PythonCode, wanted: set[str] | None = None) -> Iterator[EnvRead]:
    """The variables that such a call would take: those that example files name with its prefix, those that Dynaconf's
    validators demand, and the secret key that the framework's sessions need."""
    for path, file in code.files.items():
        if wanted is not None and path not in wanted:
            continue
        if _imports(file, "configurations"):
            yield from _values(file)
        for node in file.nodes:
            if not isinstance(node, ast.Call):
                continue
            name = dotted_name(node.func, file.imports)
            if name.endswith(".from_prefixed_env"):
                prefix = _argument(node, "prefix") or ("QUART" if _imports(file, "quart") else "FLASK")
                at = Evidence(path, node.lineno)
                yield EnvRead(f"{prefix}_SECRET_KEY", at, is_required=True)
                yield from _examples(code, prefix)
            elif name.rpartition(".")[2] in ("Dynaconf", "LazySettings", "FlaskDynaconf"):
                prefix = _argument(node, "envvar_prefix") or "DYNACONF"
                yield from _validators(file, prefix)
                yield from _examples(code, prefix)


def _argument(node: ast.Call, name: str) -> str:
    given = next((literal(k.value) for k in node.keywords if k.arg == name), None)
    if given is None and name == "prefix" and node.args:
        given = literal(node.args[0])
    return (given or "").upper()


def _imports(file: PyFile, module: str) -> bool:
    return any(full.split(".")[0] == module for full in file.imports.values())


def _validators(file: PyFile, prefix: str) -> Iterator[EnvRead]:
    """`Validator("DB.HOST", must_exist=True)`; a nested name is written with two underscores (dynaconf.com/envvars)."""
    for node in file.nodes:
        if not isinstance(node, ast.Call) or dotted_name(node.func, {}).rpartition(".")[2] != "Validator":
            continue
        keywords = {k.arg: k.value for k in node.keywords if k.arg}
        must = literal(keywords.get("must_exist")) == "True" or literal(keywords.get("required")) == "True"
        default = literal(keywords.get("default"))
        for each in node.args:
            if (text := literal(each)) is not None and re.fullmatch(r"[A-Za-z][\w.]{0,80}", text):
                name = f"{prefix}_{text.upper().replace('.', '__')}"
                at = Evidence(file.path, node.lineno)
                is_required = must and "default" not in keywords
                yield EnvRead(name, at, is_required=is_required, default=default)


def _examples(code: PythonCode, prefix: str) -> Iterator[EnvRead]:
    for path in code.index.matching(_EXAMPLE)[:8]:
        for number, line in enumerate(code.index.text(path).split("\n")[:500], 1):
            found = re.match(rf"\s*(?:export\s+)?({re.escape(prefix)}_[A-Z0-9_]{{1,80}})\s*=", line)
            if found:
                yield EnvRead(found[1], Evidence(path, number), is_required=False)


_URL_VALUES = {"DatabaseURLValue": "DATABASE_URL", "CacheURLValue": "CACHE_URL", "EmailURLValue": "EMAIL_URL"}


def _values(file: PyFile) -> Iterator[EnvRead]:
    """`SECRET_KEY = values.SecretValue()` in a class of django-configurations reads `DJANGO_SECRET_KEY` unless it says
    other; an address has a name of its own (django-configurations.readthedocs.io/en/stable/values)."""
    for kind in file.classes.values():
        for each in kind.body:
            if not isinstance(each, ast.Assign) or not isinstance(call := each.value, ast.Call):
                continue
            called = dotted_name(call.func, file.imports)
            if not called.startswith("configurations.values.") or not isinstance(each.targets[0], ast.Name):
                continue
            given = {k.arg: k.value for k in call.keywords if k.arg}
            usual = _URL_VALUES.get(called.rpartition(".")[2])
            prefix = literal(given.get("environ_prefix"))
            if prefix is None and "environ_prefix" not in given and not usual:
                prefix = "DJANGO"
            name = literal(given.get("environ_name")) or usual or each.targets[0].id
            if literal(given.get("environ")) != "False" and re.fullmatch(r"[A-Za-z_]\w{1,80}", name):
                default = literal(call.args[0]) if call.args else literal(given.get("default"))
                at = Evidence(file.path, each.lineno)
                must = called.endswith("SecretValue")
                yield EnvRead(f"{prefix}_{name}" if prefix else name, at, is_required=must, default=default)
