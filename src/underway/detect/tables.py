"""Apps without migrations: the command of their own that makes the tables, where it drops nothing."""

from __future__ import annotations

import ast
import re
import shlex

from underway.detect.model import Evidence
from underway.detect.python_app import WebApp
from underway.detect.python_code import PyFile, PythonCode, dotted_name, literal, source_of

DESTROYS = re.compile(
    r"drop_all|drop_database|DROP\s+(TABLE|DATABASE|SCHEMA)|TRUNCATE|\bflush\b|reset_db|downgrade|delete_all",
    re.IGNORECASE,
)


def make_tables(code: PythonCode, app: WebApp) -> tuple[str, str, Evidence] | None:
    """The command, what to say, and where; an empty command for one that is never run by itself.

    Only Flask: its apps make tables in a command (`flask init-db`) or when the file is run as a script, and a server
    does neither. `create_all` leaves tables that are there as they are (SQLAlchemy, `MetaData.create_all`).
    """
    if app.framework != "flask" or "(" in app.target:
        return None
    dropping: tuple[str, str, Evidence] | None = None
    for path, file in code.files.items():
        for node in file.nodes:
            if not isinstance(node, ast.FunctionDef) or not (name := _command(node)):
                continue
            text = source_of(node)
            at = Evidence(path, node.lineno)
            if DESTROYS.search(text):
                dropping = dropping or ("", f"never run by itself, since it drops data: the command {name}", at)
            elif "create_all(" in text:
                return f"PYTHONPATH=. FLASK_APP={app.target} flask {name}", f"the command {name} makes the tables", at
    return _when_run_as_script(code, app) or dropping


def _command(node: ast.FunctionDef) -> str:
    """The name of a command of Flask's (`@app.cli.command("init-db")`), which takes nothing."""
    for each in node.decorator_list:
        call = each.func if isinstance(each, ast.Call) else each
        if dotted_name(call, {}).endswith("cli.command") and not node.args.args:
            stated = literal(each.args[0]) if isinstance(each, ast.Call) and each.args else None
            name = stated or node.name.replace("_", "-")
            return name if re.fullmatch(r"[\w-]{1,60}", name) else ""
    return ""


def _when_run_as_script(code: PythonCode, app: WebApp) -> tuple[str, str, Evidence] | None:
    """`if __name__ == "__main__": db.create_all()` in the file of the app."""
    file = code.files.get(app.path)
    if file is None:
        return None
    for node in file.body:
        if not isinstance(node, ast.If) or "__main__" not in source_of(node.test):
            continue
        text = source_of(node)
        found = re.search(r"\b([A-Za-z_]\w*)\.create_all\(\)", text)
        if found and not DESTROYS.search(text) and _is_known(file, found[1]):
            module, _, name = app.target.partition(":")
            program = (
                f"from {module} import {name} as a, {found[1]} as d; c = a.app_context(); c.push(); d.create_all()"
            )
            says = f"{found[1]}.create_all() makes the tables, and runs in a script only"
            return f"python -c {shlex.quote(program)}", says, Evidence(app.path, node.lineno)
    return None


def _is_known(file: PyFile, name: str) -> bool:
    return name in file.imports or name in file.literals
