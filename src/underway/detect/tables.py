"""Apps without migrations: what of their own makes the tables, where it drops nothing."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator

from underway.detect.model import Evidence
from underway.detect.python_app import WebApp, import_base
from underway.detect.python_code import PythonCode, dotted_name, is_main_guard, literal, source_of

DESTROYS = re.compile(
    r"drop_all|drop_database|DROP\s+(TABLE|DATABASE|SCHEMA)|TRUNCATE|\bflush\b|reset_db|downgrade|delete_all",
    re.IGNORECASE,
)
_MAKES = re.compile(r"\bcreate_all\(|\bcreate_tables\(|CREATE TABLE|executescript\(", re.IGNORECASE)
_ASIDE = re.compile(r"(^|/)(tests?|migrations|scripts?|examples?|docs)/|(^|/)(test_\w+|\w+_test|conftest|seed\w*)\.py$")
_SERVES = re.compile(r"(^|\.)(run|serve|serve_forever|run_app|run_forever|start|listen|launch)$")

Made = tuple[str, str, Evidence]
"""The command, what to say, and where; an empty command for one that is never run by itself."""


def make_tables(code: PythonCode, app: WebApp) -> Made | None:
    """What makes the tables of a Flask app that does not make them as it starts.

    Its apps make tables in a command (`flask init-db`), when a file is run as a script, or by hand in a shell, and a
    server does none of that. `create_all` leaves tables that are there as they are (SQLAlchemy,
    `MetaData.create_all`).
    """
    if app.framework != "flask":
        return None
    made, dropping = _by_command(code, app)
    if made is not None:
        return made
    if _as_it_starts(code):
        return dropping
    return _when_run_as_script(code, app) or _by_hand(code, app) or dropping


def _by_command(code: PythonCode, app: WebApp) -> tuple[Made | None, Made | None]:
    dropping: Made | None = None
    for path, file in code.files.items():
        for node in file.nodes:
            if not isinstance(node, ast.FunctionDef) or not (name := _command(node)):
                continue
            text = _with_what_it_calls(code, node)
            at = Evidence(path, node.lineno)
            if not _MAKES.search(text):
                continue
            if DESTROYS.search(text):
                dropping = dropping or ("", f"never run by itself, since it drops data: the command {name}", at)
            else:
                target = shlex.quote(app.target)
                made = f"PYTHONPATH=. FLASK_APP={target} flask {name}"
                return (made, f"the command {name} makes the tables", at), None
    return None, dropping


def _command(node: ast.FunctionDef) -> str:
    """The name of a command of Flask's (`@app.cli.command("init-db")`), which takes nothing."""
    for each in node.decorator_list:
        call = each.func if isinstance(each, ast.Call) else each
        if dotted_name(call, {}).endswith("cli.command") and not node.args.args:
            stated = literal(each.args[0]) if isinstance(each, ast.Call) and each.args else None
            name = stated or node.name.replace("_", "-")
            return name if re.fullmatch(r"[\w-]{1,60}", name) else ""
    return ""


def _when_run_as_script(code: PythonCode, app: WebApp) -> Made | None:
    """What `if __name__ == "__main__":` does before it serves: in the app's file, or in one that serves the app."""
    name = app.module.rpartition(".")[2]
    for path, file in sorted(code.files.items(), key=lambda pair: (pair[0] != app.path, pair[0].count("/"), pair[0])):
        if path != app.path and not any(name in full.split(".") for full in file.imports.values()):
            continue
        for node in file.body:
            if not isinstance(node, ast.If) or not is_main_guard(node.test) or _ASIDE.search(path):
                continue
            kept = [each for each in _before_it_serves(node) if _MAKES.search(_with_what_it_calls(code, each))]
            if not kept or (path != app.path and not _serves(node)):
                continue
            if any(DESTROYS.search(_with_what_it_calls(code, each)) for each in node.body):
                return None
            text = "\n".join(source_of(each) for each in kept)
            if len(text) > 1000:
                return None
            base, module = import_base(code.index, code, path)
            loaded = f"import importlib; m = importlib.import_module({_literal(module)})"
            program = f"{loaded}; exec({_literal(text)}, vars(m))"
            says = f"{_shortly(kept[0])} makes the tables, and runs in a script only"
            return f"{_lead(base, app)}python -c {shlex.quote(program)}", says, Evidence(path, kept[0].lineno)
    return None


def _literal(text: str) -> str:
    """As a literal of Python, in double quotes: a shell puts single ones around the program."""
    return json.dumps(text, ensure_ascii=False)


def _shortly(node: ast.stmt) -> str:
    call = next((each for each in ast.walk(node) if isinstance(each, ast.Call) and _is_making(each)), None)
    return f"{dotted_name(call.func, {})}()" if call is not None else source_of(node).split("\n")[0][:60]


def _is_making(call: ast.Call) -> bool:
    name = dotted_name(call.func, {}).rpartition(".")[2]
    return bool(re.search(r"create|init|make|setup|build|table|database|db", name)) and name != "app_context"


def _before_it_serves(guard: ast.If) -> Iterator[ast.stmt]:
    for each in guard.body:
        if isinstance(each, ast.With) and any(_is_serving(inner) for inner in each.body):
            kept = [inner for inner in each.body if not _is_serving(inner)]
            if kept:
                yield ast.copy_location(ast.With(items=each.items, body=kept), each)
        elif not _is_serving(each):
            yield each


def _is_serving(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and bool(
        _SERVES.search(dotted_name(node.value.func, {}))
    )  # fmt: skip


def _serves(guard: ast.If) -> bool:
    return any(isinstance(n, ast.Call) and _SERVES.search(dotted_name(n.func, {})) for n in ast.walk(guard))


def _with_what_it_calls(code: PythonCode, node: ast.AST, depth: int = 0) -> str:
    """The source of a statement and of the functions of the tree that it calls by name."""
    text = source_of(node)
    if depth > 2:
        return text
    for name in dict.fromkeys(_called(node)):
        for function in code.functions.get(name, ())[:2]:
            if function is not node:
                text += "\n" + _with_what_it_calls(code, function, depth + 1)[:20_000]
    return text[:60_000]


def _called(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and (name := dotted_name(each.func, {}).rpartition(".")[2]):
            yield name


_HOOKS = ("before_first_request", "before_request", "before_serving", "before_app_first_request", "on_event")


def _as_it_starts(code: PythonCode) -> bool:
    """True where tables are made at import, in a factory, or before a request."""
    for path, file in code.files.items():
        if _ASIDE.search(path):
            continue
        roots: list[ast.AST] = [
            each
            for each in file.body
            if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not (isinstance(each, ast.If) and is_main_guard(each.test))
        ]
        if any(DESTROYS.search(source_of(each)) for each in roots) and not _is_imported(code, path):
            roots = []  # a script that makes everything anew, which only a person runs
        factories = {factory.name for factory in file.factories} | {"create_app", "make_app"}
        for node in file.nodes:
            if isinstance(node, ast.FunctionDef) and (node.name in factories or _is_hook(node)):
                roots.append(node)
        if any(_MAKES.search(_with_what_it_calls(code, each)) for each in roots):
            return True
    return False


def _is_imported(code: PythonCode, path: str) -> bool:
    name = path.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2]
    return any(
        name in full.split(".") for other, file in code.files.items() if other != path for full in file.imports.values()
    )


def _is_hook(node: ast.FunctionDef) -> bool:
    return any(
        dotted_name(each.func if isinstance(each, ast.Call) else each, {}).rpartition(".")[2] in _HOOKS
        for each in node.decorator_list
    )


def _by_hand(code: PythonCode, app: WebApp) -> Made | None:
    """Flask-SQLAlchemy where nothing but a person in a shell, or a request, makes the tables."""
    at = next(
        (
            Evidence(path, call.line)
            for path, file in code.files.items()
            for call in file.calls
            if call.name.endswith("flask_sqlalchemy.SQLAlchemy") and not _ASIDE.search(path)
        ),
        None,
    )
    if at is None:
        return None
    module, _, name = app.target.partition(":")
    called, paren, _ = name.partition("(")
    made = name if paren else f"{name}()" if app.is_factory else name
    program = (
        f'from {module} import {called}; a = {made}; x = a.extensions["sqlalchemy"]; a.app_context().push(); '
        'getattr(x, "db", x).create_all()'
    )
    says = "Flask-SQLAlchemy's create_all(): nothing else makes the tables"
    return f"{_lead(app.base, app)}python -c {shlex.quote(program)}", says, at


def _lead(base: str, app: WebApp) -> str:
    """What makes the modules in `base` importable from the folder where the app runs."""
    inner = base[len(app.folder) :].strip("/") if f"{base}/".startswith(f"{app.folder}/".lstrip("/")) else ""
    return f"PYTHONPATH={shlex.quote(inner)} " if inner else ""
