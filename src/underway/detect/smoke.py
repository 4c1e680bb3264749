"""A request that touches the database, where the sources show one: the health path often does not."""

from __future__ import annotations

import ast
import re

from underway.detect.draft import Draft
from underway.detect.health import python_routes
from underway.detect.model import Evidence, Notes
from underway.detect.python_app import WebApp
from underway.detect.python_code import PythonCode, source_of
from underway.manifest.smoke import Expect, Smoke

_TOUCHES = re.compile(
    r"\.execute\(|\.query\b|\.objects\.|\bselect\(|\.scalars?\(|fetch(?:_all|_one|all|one|val)?\(|\bdb\.session\b|"
    r"\b(?:crud|repo|repository|service)\w*\.\w+\(|\.all\(\)|\.find\("
)
_SESSION = re.compile(
    r"Depends\(\s*[\w.]*(?:db|session|database|uow|conn|repo)\w*\s*\)|\b(?:Async)?Session(?:Dep)?\b|\bDbSession\b|\bdb\.session\b|"
    r"\bdatabase\.fetch|\.objects\.|\.query\b|\bcrud\.",
    re.IGNORECASE,
)
_GUARDED = re.compile(
    r"current_user|get_user|login_required|jwt_required|Security\(|oauth2|api_key|permission|superuser|token|auth",
    re.IGNORECASE,
)
_STATUS = "below-500"
"""What a visitor without an account gets may well be 401 or 404; an error of the database is 500."""


def propose_smoke(code: PythonCode, app: WebApp, draft: Draft, notes: Notes) -> None:
    """Add a smoke request: the health path's own kind that asks the database, else the first list that anybody may ask
    for."""
    if draft.postgres is None and not draft.shared:
        return
    found: list[tuple[tuple[int, int, str], str, Evidence]] = []
    functions = {
        (path, decorator.lineno): node
        for path, file in code.files.items()
        for node in file.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
    }
    for path, at in python_routes(code, app):
        node = functions.get((at.path, at.line))
        if node is None or not re.fullmatch(r"/[\w./-]{0,200}", path, re.ASCII) or path == draft.health.path:
            continue
        text = source_of(node)
        if _needs_input(node) or not (_TOUCHES.search(text) and _SESSION.search(text)) or _GUARDED.search(text):
            continue
        if re.search(r"(^|/)(logout|delete|export|download|callback|webhook|admin)", path):
            continue
        is_health = 0 if re.search(r"(^|/)(health\w*|up|ready|db|databases?)(/|$)", path) else 1
        found.append(((is_health, path.count("/"), path), path, at))
    if not found:
        return
    _, path, at = min(found, key=lambda one: one[0])
    draft.smokes.append(Smoke(path=path, expect=Expect(status=_STATUS)))
    notes.claim("smoke", f"{path} asks the database: a release must answer it below 500", at, "smoke")


def _needs_input(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """True when the route takes something that a bare request does not bring."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    without = arguments[: len(arguments) - len(node.args.defaults)]
    without += [a for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is None]
    for each in without:
        kind = source_of(each.annotation) if each.annotation is not None else ""
        if not re.search(r"Dep\b|Depends\(|Session|Request\b|Annotated|Response\b|BackgroundTasks|Settings", kind):
            return True
    return False
