"""Variables that the fields of a pydantic Settings class read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from underway.detect.model import Evidence
from underway.detect.python_code import EnvRead, PyFile, PythonCode, dotted_name, literal, source_of
from underway.detect.python_env_hints import choices

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{1,100}")
MADE_UP = re.compile(r"token_|secrets\.|uuid4|urandom|get_random_secret_key|Fernet\.generate")


def settings_classes(code: PythonCode) -> list[tuple[str, str]]:
    """Classes that descend from pydantic's BaseSettings, by file."""
    known = {"BaseSettings"}
    found: dict[tuple[str, str], None] = {}
    for _ in range(5):
        before = len(found)
        for path, file in code.files.items():
            for name, node in file.classes.items():
                bases = {dotted_name(b, {}).rpartition(".")[2] for b in node.bases}
                if bases & known and (path, name) not in found:
                    found[(path, name)] = None
                    known.add(name)
        if len(found) == before:
            break
    return list(found)


def settings_fields(
    code: PythonCode,
    path: str,
    name: str,
    prefix: str | None = None,
    depth: int = 0,
    handed: frozenset[str] = frozenset(),
) -> Iterator[EnvRead]:
    """What the fields of the class `name` of the file `path` read, and those of the classes it goes on from.

    `prefix` is put before each name (None: the class's own `env_prefix`); what is in `handed` the code gives itself.
    """
    file = code.files[path]
    node = file.classes[name]
    options = _options(code, path, node)
    start = options.get("env_prefix", "") if prefix is None else prefix
    delimiter = options.get("env_nested_delimiter", "")
    named = _named_fields(node)
    for each in node.body:
        if not isinstance(each, ast.AnnAssign) or not isinstance(each.target, ast.Name):
            continue
        field_name = each.target.id
        kind = source_of(each.annotation)
        if field_name.startswith("_") or "ClassVar" in kind or field_name == "model_config":
            continue
        inner = _nested(code, path, kind)
        if inner is not None and delimiter and depth < 3:
            yield from settings_fields(code, *inner, prefix=f"{start}{field_name}{delimiter}", depth=depth + 1)
            continue
        if inner is not None:
            continue
        for read in _field(file, each, kind, start, field_name):
            if field_name in named:
                read = replace(read, name=named[field_name])
            if NAME.fullmatch(read.name):
                yield replace(read, is_required=read.is_required and field_name not in handed)
    if depth < 3:
        for base in _models(code, path, node):
            yield from settings_fields(code, *base, prefix=start, depth=depth + 1, handed=handed)


def _models(code: PythonCode, path: str, node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Plain models among the bases of a class of settings: their fields are its own, by its own prefix."""
    for base in node.bases:
        found = _nested(code, path, dotted_name(base, {}))
        if found is not None and not _is_settings(code, *found):
            yield found


def _is_settings(code: PythonCode, path: str, name: str, depth: int = 0) -> bool:
    bases = code.files[path].classes[name].bases
    above = (_nested(code, path, dotted_name(base, {})) for base in bases if depth < 3)
    return any(dotted_name(base, {}).endswith("BaseSettings") for base in bases) or any(
        _is_settings(code, *each, depth=depth + 1) for each in above if each is not None
    )


def _named_fields(node: ast.ClassDef) -> dict[str, str]:
    """Variables by field, without the prefix: `class Config: fields = {"host": {"env": "PGHOST"}}` of pydantic 1."""
    out: dict[str, str] = {}
    for inner in (line for each in node.body if isinstance(each, ast.ClassDef) for line in each.body):
        if (
            isinstance(inner, ast.Assign)
            and isinstance(inner.value, ast.Dict)
            and source_of(inner.targets[0]) == "fields"
        ):
            for key, value in zip(inner.value.keys, inner.value.values, strict=True):
                if isinstance(value, ast.Dict) and key is not None and (field := literal(key)):
                    told = {literal(k): literal(v) for k, v in zip(value.keys, value.values, strict=True) if k}
                    if (name := told.get("env")) and NAME.fullmatch(name):
                        out[field] = name
    return out


def _nested(code: PythonCode, path: str, kind: str) -> tuple[str, str] | None:
    """The class of a field that is a model of its own (`db: DatabaseSettings`)."""
    name = kind.split("|")[0].strip().strip("'\"")
    file = code.files[path]
    if name in file.classes:
        bases = {dotted_name(b, {}).rpartition(".")[2] for b in file.classes[name].bases}
        return None if bases & {"Enum", "StrEnum", "IntEnum", "str"} else (path, name)
    full = file.imports.get(name, "")
    if full and "." in full:
        source = code.module_file(full.rpartition(".")[0], path)
        if source in code.files and name in code.files[source].classes:
            bases = {dotted_name(b, {}).rpartition(".")[2] for b in code.files[source].classes[name].bases}
            return (source, name) if bases & {"BaseModel", "BaseSettings"} else None
    return None


def _field(file: PyFile, node: ast.AnnAssign, kind: str, prefix: str, field_name: str) -> list[EnvRead]:
    """One read, or one for each name that the field may be given by; only the first of these can be required."""
    default_node = node.value
    is_required = default_node is None
    names = [f"{prefix}{field_name}"]
    if isinstance(default_node, ast.Call) and dotted_name(default_node.func, {}).rpartition(".")[2] in (
        "Field",
        "PrivateAttr",
    ):
        call = default_node
        first = call.args[0] if call.args else keyword_node(call, "default")
        factory = keyword_node(call, "default_factory")
        is_ellipsis = isinstance(first, ast.Constant) and first.value is ...
        is_required = (first is None and factory is None) or is_ellipsis
        for alias in ("validation_alias", "alias", "env"):
            given = keyword_node(call, alias)
            several = (
                given.args if isinstance(given, ast.Call) else given.elts if isinstance(given, ast.List) else [given]
            )
            if found := [t for a in several if (t := literal(a)) and NAME.fullmatch(t)]:
                names = found
                break
        default_node = factory if first is None or is_ellipsis else first
    if is_required and re.match(r"(typing\.)?Optional\[|.*\|\s*None$", kind) and not _is_v2(file):
        is_required = False
    source = source_of(default_node) if default_node is not None else ""
    read = EnvRead(
        names[0].upper(),
        Evidence(file.path, node.lineno),
        is_required=is_required and len(names) == 1,
        default=literal(default_node) if default_node is not None else None,
        is_list=bool(re.search(r"\b(list|List|set|Set|tuple|Tuple|Sequence)\[|\b(list|set|tuple)\b", kind)),
        is_number=bool(re.match(r"(int|float|PositiveInt|conint)\b", kind)),
        separator="",
        made_up=bool(source and MADE_UP.search(source)),
        choices=choices(file, node.annotation),
    )
    return [replace(read, name=name.upper()) for name in names]


def _is_v2(file: PyFile) -> bool:
    return any(full.startswith("pydantic_settings") for full in file.imports.values())


def _options(code: PythonCode, path: str, node: ast.ClassDef, depth: int = 0) -> dict[str, str]:
    """Text options of `model_config = SettingsConfigDict(…)` or `class Config`, and those of the bases below them."""
    file = code.files[path]
    out: dict[str, str] = {}
    for base in reversed(node.bases) if depth < 3 else ():
        above = _nested(code, path, dotted_name(base, {}))
        if above is not None and above != (path, node.name):
            out |= _options(code, above[0], code.files[above[0]].classes[above[1]], depth + 1)
    for each in node.body:
        if (
            isinstance(each, ast.Assign | ast.AnnAssign)
            and each.value is not None
            and source_of(each.targets[0] if isinstance(each, ast.Assign) else each.target) == "model_config"
        ):
            out |= _configured(file, each.value)
        elif isinstance(each, ast.ClassDef) and each.name == "Config":
            for inner in each.body:
                if isinstance(inner, ast.Assign) and isinstance(inner.targets[0], ast.Name):
                    text = literal(inner.value)
                    if text is not None:
                        out[inner.targets[0].id] = text
    return out


def _configured(file: PyFile, value: ast.expr, depth: int = 0) -> dict[str, str]:
    """Text options of `SettingsConfigDict(…)`, of a dict, of a name for either, and of several joined by `|`, `**`."""
    if depth > 3:
        return {}
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        return _configured(file, value.left, depth + 1) | _configured(file, value.right, depth + 1)
    if isinstance(value, ast.Name) and value.id in file.literals:
        return _configured(file, file.literals[value.id][0], depth + 1)
    named: list[tuple[str | None, ast.expr]] = []
    if isinstance(value, ast.Call):
        named = [(k.arg, k.value) for k in value.keywords]
    elif isinstance(value, ast.Dict):
        named = [(literal(k) if k is not None else None, v) for k, v in zip(value.keys, value.values, strict=True)]
    out: dict[str, str] = {}
    for name, given in named:
        if name is None:
            out |= _configured(file, given, depth + 1)
        elif (text := literal(given)) is not None:
            out[name] = text
    return out


def keyword_node(node: ast.Call, name: str) -> ast.expr | None:
    """The expression given for the argument `name`, None without one."""
    return next((k.value for k in node.keywords if k.arg == name), None)
