"""Environment variables that Python sources read, by parsing: os.environ, django-environ, decouple, pydantic."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from underway.detect.model import Evidence
from underway.detect.python_code import EnvRead, PyFile, PythonCode, dotted_name, literal, source_of
from underway.detect.python_env_functions import EnvFunctions, env_functions
from underway.detect.python_env_guards import guarded
from underway.detect.python_env_hints import compared_with_postgres, handed_over
from underway.detect.python_env_names import name_the_environment, origin, text_of
from underway.detect.python_prefixed import prefixed_reads
from underway.detect.python_settings import MADE_UP, NAME, keyword_node, settings_classes, settings_fields

_DB_METHODS = {"db": "DATABASE_URL", "db_url": "DATABASE_URL", "dj_db_url": "DATABASE_URL", "cache": "CACHE_URL"}
_DEFAULT_SECOND = frozenset({"str", "bool", "int", "float", "url", "path", "unicode", "bytes", "decimal", "date",
                             "datetime", "timedelta", "uuid", "log_level", "enum", "json", "db", "db_url", "cache",
                             "cache_url", "email", "email_url", "search_url"})  # fmt: skip
"""Methods of django-environ's and environs' `Env` whose second argument is the default (not a type)."""
_ENV = re.compile(r"\w*env\w*\.(?:FileAware)?Env")
"""django-environ, environs, and the packages that dress them up: epicenv, goodconf's and the like."""


def env_reads(code: PythonCode, wanted: set[str] | None = None) -> list[EnvRead]:
    """Every read of the environment in the sources (only in the files `wanted`, where given)."""
    out: list[EnvRead] = []
    settings = settings_classes(code)
    name_the_environment(code)
    helpers = env_functions(code)
    for path, file in code.files.items():
        if wanted is not None and path not in wanted:
            continue
        out += _plain_reads(code, file, helpers[path], _readers(code, file) | _readers_through_stars(code, file))
        out += _asked_for(code, file)
    handed = handed_over(code, {name for _, name in settings})
    for path, name in settings:
        if wanted is None or path in wanted:
            out += settings_fields(code, path, name, handed=handed.get(name, frozenset()))
    compared = compared_with_postgres(code)
    out = [
        one if one.compared or one.name not in compared else replace(one, compared=compared[one.name]) for one in out
    ]
    return [*out, *prefixed_reads(code, wanted)]


def _asked_for(code: PythonCode, file: PyFile) -> Iterator[EnvRead]:
    """`"X" in os.environ`, names that a loop over a list reads, and options with `envvar="X"` (click, typer)."""
    lists: dict[str, list[str]] = {}
    for node in file.nodes:
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name):
            names = node.iter
            if isinstance(names, ast.Name) and names.id in file.literals:
                names = file.literals[names.id][0]
            if isinstance(names, ast.List | ast.Tuple | ast.Set):
                texts = [literal(each) for each in names.elts[:100]]
                lists[node.target.id] = [text for text in texts if text]
    for node in file.nodes:
        wanted: list[str] = []
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            if dotted_name(node.comparators[0], file.imports) == "os.environ":
                wanted = _named(node.left, lists) or _constant(node.left, file, code)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            if dotted_name(node.value, file.imports) == "os.environ" and isinstance(node.slice, ast.Name):
                wanted = _named(node.slice, lists)
        elif isinstance(node, ast.Call):
            if node.args and dotted_name(node.func, file.imports) in ("os.getenv", "os.environ.get"):
                wanted = _named(node.args[0], lists) if isinstance(node.args[0], ast.Name) else []
            given = next((k.value for k in node.keywords if k.arg == "envvar"), None)
            if given is not None:
                texts = [literal(each) for each in given.elts] if isinstance(given, ast.List | ast.Tuple) else []
                wanted = [text for text in texts if text] or _named(given, lists) or _constant(given, file, code)
            if isinstance(node.func, ast.Attribute) and node.func.attr == "from_envvar" and node.args:
                wanted = _named(node.args[0], lists)
        for name in wanted:
            if NAME.fullmatch(name):
                yield EnvRead(name, Evidence(file.path, getattr(node, "lineno", 1)), is_required=False)


def _named(node: ast.expr, lists: dict[str, list[str]]) -> list[str]:
    text = literal(node)
    if text is not None and not isinstance(node, ast.List | ast.Tuple):
        return [text]
    return lists.get(node.id, []) if isinstance(node, ast.Name) else []


def _constant(node: ast.expr, file: PyFile, code: PythonCode) -> list[str]:
    text = text_of(node, file, code)
    return [text] if text else []


def _plain_reads(code: PythonCode, file: PyFile, helpers: EnvFunctions, readers: set[str]) -> Iterator[EnvRead]:
    schema_defaults, needed = _schema_defaults(file), guarded(file)
    for place, node in enumerate(file.nodes):
        read = _subscript(node, file, code) or _call_read(node, file, code, readers, helpers, schema_defaults)
        if read is None:
            continue
        above = file.nodes[file.above[place]]
        is_number = isinstance(above, ast.Call) and dotted_name(above.func, {}) in ("int", "float")
        if read.default is None and (is_number or isinstance(above, ast.Attribute)) and _is_bare(node):
            read = replace(read, is_required=True)  # None is no number, and has no .split
        if isinstance(above, ast.Assign) and not read.default and _names_one(above, needed):
            read = replace(read, is_required=True)
        if (
            isinstance(above, ast.BoolOp)
            and isinstance(above.op, ast.Or)
            and above.values[0] is node
            and not read.default
        ):
            read = replace(read, default=literal(above.values[1]), is_required=False)
        compared = ""
        if isinstance(above, ast.Compare) and isinstance(above.ops[0], ast.Eq):
            compared = literal(above.comparators[0]) or ""
        shapes = helpers.get(dotted_name(node.func, {}), frozenset()) if isinstance(node, ast.Call) else frozenset()
        whole = _with(
            read,
            is_conditional=_is_conditional(file, place),
            separator=_separator(above, file.nodes[file.above[file.above[place]]]),
            number=is_number,
            compared=compared,
            part=_django_part(file, place),
        )
        if not shapes:
            yield whole
        for shape in sorted(shapes, key=lambda each: (len(each.after), each.before)):
            if NAME.fullmatch(name := shape.name(read.name)):
                yield replace(whole, name=name) if not shape.after else EnvRead(name, read.evidence, is_required=False)


def _names_one(node: ast.Assign, names: frozenset[str]) -> bool:
    return any(isinstance(target, ast.Name) and target.id in names for target in node.targets)


def _is_bare(node: ast.AST) -> bool:
    """True for a call that is given nothing to fall back on."""
    return isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords


_BRANCHES = (ast.If, ast.IfExp, ast.Try, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.BoolOp)


def _is_conditional(file: PyFile, place: int) -> bool:
    """True when the node is not always run: in a branch, a function, or after `or`."""
    for _ in range(200):
        if not place:
            return False
        node, place = file.nodes[place], file.above[place]
        parent = file.nodes[place]
        is_tested = isinstance(parent, ast.If | ast.IfExp) and node is parent.test
        if isinstance(parent, _BRANCHES) and not is_tested:
            return True
    return True


_DJANGO_PARTS = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "NAME": "database"}


def _django_part(file: PyFile, place: int) -> str:
    """The part of DATABASES["default"] whose value is made of the node: its key stands beside an ENGINE."""
    node = file.nodes[place]
    for _ in range(4):
        place = file.above[place]
        parent = file.nodes[place]
        if isinstance(parent, ast.Dict):
            keys = {literal(key) if key else None: value for key, value in zip(parent.keys, parent.values, strict=True)}
            around = file.nodes[file.above[place]]
            is_other = isinstance(around, ast.Dict) and not any(
                key is not None and literal(key) == "default" and value is parent
                for key, value in zip(around.keys, around.values, strict=True)
            )
            if "ENGINE" not in keys or is_other:
                return ""
            return next((part for key, part in _DJANGO_PARTS.items() if keys.get(key) is node), "")
        node = parent
    return ""


def _with(
    read: EnvRead, *, is_conditional: bool, separator: str | None, number: bool, compared: str, part: str
) -> EnvRead:
    return EnvRead(
        name=read.name,
        evidence=read.evidence,
        is_required=read.is_required,
        default=read.default,
        is_list=read.is_list or separator is not None,
        is_number=read.is_number or number,
        is_conditional=is_conditional,
        separator=read.separator if separator is None else separator,
        made_up=read.made_up,
        compared=compared,
        part=part,
    )


def _separator(above: ast.AST, call: ast.AST) -> str | None:
    """What `os.environ["X"].split(",")` splits by."""
    if isinstance(above, ast.Attribute) and above.attr == "split" and isinstance(call, ast.Call):
        return (literal(call.args[0]) or " ") if call.args else " "
    if isinstance(above, ast.Call) and dotted_name(above.func, {}).endswith("json.loads"):
        return ""
    return None


def _subscript(node: ast.AST, file: PyFile, code: PythonCode) -> EnvRead | None:
    if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
        return None
    if dotted_name(node.value, file.imports) != "os.environ":
        return None
    name = text_of(node.slice, file, code)
    if name is None or not NAME.fullmatch(name):
        return None
    return EnvRead(name, Evidence(file.path, node.lineno), is_required=True)


def _readers(code: PythonCode, file: PyFile) -> set[str]:
    """Variables that read the environment when called: `env = environ.Env()`, `config` of decouple."""
    found = {local for local, full in file.imports.items() if full in ("decouple.config", "prettyconf.config")}
    for target, called_as, _ in file.assigned_calls:
        called = origin(code, called_as, file.path)
        if called in ("starlette.config.Config", "decouple.Config", "decouple.AutoConfig") or _ENV.fullmatch(called):
            found.add(target)
    for local, full in file.imports.items():  # `from config.env import env`
        if full.rpartition(".")[2] in ("env", "config") and local in ("env", "config") and "." in full:
            found.add(local)
    return found


def _readers_through_stars(code: PythonCode, file: PyFile, depth: int = 0) -> set[str]:
    """What `from .base import *` brings: settings for production are often written over those of a base so."""
    found: set[str] = set()
    for local, full in file.imports.items():
        if not local.startswith("* ") or depth > 4:
            continue
        source = code.files.get(code.module_file(full.removesuffix(".*"), file.path))
        if source is not None and source is not file:
            found |= _readers(code, source) | _readers_through_stars(code, source, depth + 1)
    return found


def _schema_defaults(file: PyFile) -> dict[str, str | None]:
    """`environ.Env(DEBUG=(bool, False))`: names with a default."""
    out: dict[str, str | None] = {}
    for node in file.nodes:
        if isinstance(node, ast.Call) and dotted_name(node.func, file.imports).endswith("environ.Env"):
            for each in node.keywords:
                if each.arg and isinstance(each.value, ast.Tuple) and len(each.value.elts) == 2:
                    out[each.arg] = literal(each.value.elts[1])
    return out


def _call_read(
    node: ast.AST,
    file: PyFile,
    code: PythonCode,
    readers: set[str],
    helpers: EnvFunctions,
    schema: dict[str, str | None],
) -> EnvRead | None:
    if not isinstance(node, ast.Call):
        return None
    full = dotted_name(node.func, file.imports)
    where = Evidence(file.path, node.lineno)
    if full == "dj_database_url.config":
        name = _keyword(node, "env")
        default = literal(keyword_node(node, "default"))
        return EnvRead(name or "DATABASE_URL", where, is_required=False, default=default)
    local = dotted_name(node.func, {})
    owner, _, method = local.rpartition(".")
    is_plain = full in ("os.getenv", "os.environ.get")
    first = node.args[0] if node.args else None
    name = literal(first)
    if name is None and (is_plain or owner in readers or local in readers or local in helpers):
        name = text_of(first, file, code)
    if owner in readers and method in _DB_METHODS and name is None:
        name = _DB_METHODS[method]
    if not (is_plain or local in readers or owner in readers or local in helpers):
        return None
    if name is None or not NAME.fullmatch(name) or method in ("read_env", "read_envfile", "prefixed"):
        return None
    default_node = keyword_node(node, "default")
    is_default_second = is_plain or local in helpers or local in readers or method in _DEFAULT_SECOND
    is_given = default_node is not None
    if default_node is None and len(node.args) > 1 and is_default_second:
        is_given = not isinstance(node.args[1], ast.Name) or method in _DEFAULT_SECOND
        default_node = node.args[1] if not isinstance(node.args[1], ast.Name) else None
    has_default = is_given or name in schema
    cast = keyword_node(node, "cast")
    text_of_cast = source_of(cast) if cast is not None else method
    return EnvRead(
        name,
        where,
        is_required=not has_default and not is_plain and local not in helpers,
        default=literal(default_node) if default_node is not None else schema.get(name),
        is_list=bool(re.search(r"Csv|CommaSeparated|list|tuple|split", text_of_cast)),
        is_number=bool(re.search(r"\bint\b|\bfloat\b|Integer", text_of_cast)),
        made_up=bool(default_node is not None and MADE_UP.search(source_of(default_node))),
    )


def _keyword(node: ast.Call, name: str) -> str | None:
    return literal(keyword_node(node, name))
