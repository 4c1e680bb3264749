"""Reads the source of Underway as text: modules, functions, and what an expression would say."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "underway"
MOST_ALTERNATIVES = 6

Function = ast.FunctionDef | ast.AsyncFunctionDef
Texts = tuple[str, ...]
"""What an expression may say, each with `‹name›` where only a run knows."""


@dataclass(frozen=True)
class Module:
    """One file of the source."""

    path: Path
    tree: ast.Module

    @property
    def name(self) -> str:
        """`steps/migrate.py`, below src/underway."""
        return str(self.path.relative_to(SOURCE))

    @cached_property
    def parents(self) -> Mapping[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        return tuple(node for node in ast.walk(self.tree) if isinstance(node, Function))

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        return tuple(node for node in ast.walk(self.tree) if isinstance(node, ast.Call))

    def enclosing(self, node: ast.AST) -> Function | None:
        """The innermost function around `node`."""
        above = self.parents.get(node)
        while above is not None and not isinstance(above, Function):
            above = self.parents.get(above)
        return above

    def blocks(self, node: ast.AST) -> tuple[tuple[int, str], ...]:
        """The statement blocks around `node`, outermost first: a node and the name of its list."""
        chain: list[tuple[int, str]] = []
        while (above := self.parents.get(node)) is not None:
            for name, value in ast.iter_fields(above):
                if isinstance(value, list) and node in value:
                    chain.append((id(above), name))
            node = above
        return tuple(reversed(chain))


@dataclass(frozen=True)
class Source:
    """All modules."""

    modules: tuple[Module, ...]

    @cached_property
    def named(self) -> Mapping[str, tuple[tuple[Module, Function], ...]]:
        """Functions and methods by their bare name."""
        found: dict[str, list[tuple[Module, Function]]] = {}
        for module in self.modules:
            for function in module.functions:
                found.setdefault(function.name, []).append((module, function))
        return {name: tuple(each) for name, each in found.items()}

    @cached_property
    def calls(self) -> tuple[tuple[Module, ast.Call], ...]:
        return tuple((module, call) for module in self.modules for call in module.calls)


def read_source(folder: Path = SOURCE) -> Source:
    paths = sorted(folder.rglob("*.py"))
    return Source(tuple(Module(path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths))


def called(call: ast.Call) -> str:
    """The bare name of what is called."""
    target = call.func
    return target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


def parameters(function: Function) -> list[str]:
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def defaults(function: Function) -> dict[str, ast.expr]:
    plain = [*function.args.posonlyargs, *function.args.args]
    found = {each.arg: value for each, value in zip(reversed(plain), reversed(function.args.defaults), strict=False)}
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return found | {each.arg: value for each, value in pairs if value is not None}


def required(function: Function) -> set[str]:
    return set(parameters(function)) - defaults(function).keys()


def arguments(call: ast.Call, function: Function | None = None) -> dict[str, ast.expr]:
    """The arguments by parameter name, defaults of `function` included."""
    found = defaults(function) if function else {}
    if function:
        found |= dict(zip(parameters(function), call.args, strict=False))
    return found | {word.arg: word.value for word in call.keywords if word.arg}


@dataclass(frozen=True)
class Scope:
    """Where an expression stands, and what the parameters of its function are bound to."""

    source: Source
    module: Module
    at: ast.AST
    bound: Mapping[str, Texts] = field(default_factory=dict)
    depth: int = 0

    def says(self, expression: ast.expr | None) -> Texts:
        """What `expression` may say. Never empty; at most a few."""
        if expression is None:
            return ("",)
        found = self._textual(expression)
        return found[:MOST_ALTERNATIVES] if found else (placeholder(expression),)

    def _textual(self, node: ast.expr) -> Texts:
        """The texts of `node`, empty when it is not made of text."""
        match node:
            case ast.Constant(value=str() as text):
                return (text,)
            case ast.JoinedStr():
                return self._joined(node.values)
            case ast.IfExp():
                return self._either(node.body, node.orelse)
            case ast.BinOp(op=ast.Add()) if self._textual(node.left) or self._textual(node.right):
                return product(self.says(node.left), self.says(node.right))
            case ast.BoolOp(op=ast.Or()):
                return self._first_true(node.values)
            case ast.Call(func=ast.Name(id="str" | "clean" | "_printable"), args=[inner]):
                return self._textual(inner)
            case ast.Call(func=ast.Attribute(value=inner, attr="strip" | "rstrip" | "lstrip"), args=[]):
                return self._textual(inner)
            case ast.Name(id=name):
                return self._named(name)
            case _:
                return ()

    def _either(self, *branches: ast.expr) -> Texts:
        """All branches, when at least one of them is made of text."""
        if not any(self._textual(each) for each in branches):
            return ()
        return tuple(dict.fromkeys(text for each in branches for text in self.says(each)))

    def _first_true(self, values: list[ast.expr]) -> Texts:
        """`a or b`: b only counts where a may be empty or is known at run time only."""
        if not any(self._textual(each) for each in values):
            return ()
        found: list[str] = []
        for each in values:
            texts = self._textual(each)
            found += [text for text in (texts or (placeholder(each),)) if text]
            if texts and all(texts):
                break
        return tuple(dict.fromkeys(found))

    def _joined(self, parts: list[ast.expr]) -> Texts:
        texts: Texts = ("",)
        for part in parts:
            more = self.says(part.value) if isinstance(part, ast.FormattedValue) else self.says(part)
            texts = product(texts, more)
        return texts

    def _named(self, name: str) -> Texts:
        function = self.module.enclosing(self.at)
        if function and self.depth <= 6 and (found := self._assigned(name, function)):
            return found
        if name in self.bound:
            return self.bound[name]
        if function is None or self.depth > 6:
            return self._constant(name)
        if name in parameters(function):
            return self._from_callers(name, function)
        return self._constant(name)

    def _constant(self, name: str) -> Texts:
        for node in self.module.tree.body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                return self._deeper(node)._textual(node.value)
        return ()

    def _assigned(self, name: str, function: Function) -> Texts:
        """The texts assigned to `name` before this place: back to the first assignment that is always passed."""
        line = getattr(self.at, "lineno", 0)
        here = self.module.blocks(self.at)
        found: list[str] = []
        for node in sorted(ast.walk(function), key=lambda n: -getattr(n, "lineno", 0)):
            if getattr(node, "lineno", line) >= line or not isinstance(node, ast.Assign | ast.NamedExpr):
                continue
            for value in assigned_to(name, node):
                found += self._deeper(node)._textual(value) or ([placeholder(value)] if found else ())
                if self.module.blocks(node) == here[: len(self.module.blocks(node))]:
                    return tuple(dict.fromkeys(found))
        return tuple(dict.fromkeys(found))

    def _from_callers(self, name: str, function: Function) -> Texts:
        found: list[str] = []
        for node in ast.walk(self.module.tree):
            if isinstance(node, ast.Call) and called(node) == function.name:
                given = arguments(node, function)
                if required(function) <= given.keys() and name in given:
                    found += self._deeper(node)._textual(given[name])
        return tuple(dict.fromkeys(found))

    def _deeper(self, at: ast.AST) -> Scope:
        return Scope(self.source, self.module, at, self.bound, self.depth + 1)


def assigned_to(name: str, node: ast.Assign | ast.NamedExpr) -> Iterator[ast.expr]:
    """The values that `node` gives to `name`."""
    if isinstance(node, ast.NamedExpr):
        if node.target.id == name:
            yield node.value
        return
    for target in node.targets:
        if isinstance(target, ast.Name) and target.id == name:
            yield node.value
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            for one, value in zip(target.elts, node.value.elts, strict=False):
                if isinstance(one, ast.Name) and one.id == name:
                    yield value
        elif isinstance(target, ast.Tuple) and any(isinstance(t, ast.Name) and t.id == name for t in target.elts):
            yield ast.Attribute(value=node.value, attr=name)  # known at run time only


def product(left: Texts, right: Texts) -> Texts:
    """Every left with every right. A part that may be left out is shown."""
    full = tuple(text for text in right if text) or right
    return tuple(a + b for a in (tuple(text for text in left if text) or left) for b in full)[:MOST_ALTERNATIVES]


_OPAQUE = {"str", "clean", "len", "shown", "repr", "sorted", "min", "max", "list", "tuple", "_said", "_short"}


def placeholder(node: ast.expr) -> str:
    """`‹name›` for what only a run knows."""
    return f"‹{_word(node)}›"


def _word(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name.strip("_").replace("_", " ")
        case ast.Attribute(attr=name):
            return name.strip("_").replace("_", " ")
        case ast.Call(args=[first, *_]) if called(node) in _OPAQUE:
            return _word(first)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str())), args=[first, *_]):
            return _word(first)
        case ast.Call():
            return called(node).strip("_").replace("_", " ") or "…"
        case ast.Subscript(slice=ast.Constant(value=str() as key)):
            return key.replace("_", " ")
        case ast.Subscript(value=value) | ast.Starred(value=value) | ast.Await(value=value):
            return _word(value)
        case ast.BoolOp(values=[first, *_]):
            return _word(first)
        case ast.BinOp(left=left):
            return _word(left)
        case ast.GeneratorExp(elt=elt) | ast.ListComp(elt=elt):
            return _word(elt)
        case _:
            return "…"
