"""An environment as a person reads it: its variables, what is wrong with it, how two of them differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from underway.agent.env_views import EnvView, FindingView, NamedView, VariableView
from underway.cli.render.problems import show_problems
from underway.cli.render.terminal import Terminal, clean
from underway.cli.render.words import ago
from underway.terms.count import counted

_MOST_LISTED = 12
_HIDDEN = "•••"


def show_environment(view: EnvView, variables: Sequence[VariableView], terminal: Terminal, *, is_all: bool) -> None:
    """Groups: what is set, what services give, what is not set, what the repository names and nobody declares."""
    chain = terminal.paint(" → ".join(view.layers), "dim")
    terminal.line(f"{terminal.paint(view.app, 'bold')}  {terminal.paint(view.environment, 'bold')}  {chain}")
    groups: dict[str, list[VariableView]] = {
        "set": [it for it in variables if it.is_set and not it.from_.startswith("service")],
        "given by services": [it for it in variables if it.is_set and it.from_.startswith("service")],
        "required and not set": [it for it in variables if not it.is_set and it.is_required],
        "optional and not set": [it for it in variables if not it.is_set and not it.is_required],
    }
    services = [it.name for it in groups.pop("given by services")]
    rows = {title: [_row(it, terminal) for it in group] for title, group in groups.items()}
    named = view.undeclared if is_all or len(view.undeclared) <= _MOST_LISTED else view.undeclared[:_MOST_LISTED]
    rows["named by the repository, not declared in [env]"] = [_named(it) for it in named]
    for title, group in rows.items():
        if not group:
            continue
        terminal.line()
        terminal.line(terminal.paint(title, "red" if title.startswith("required") else "bold"))
        widths = _widths(group, terminal.width)
        for row in group:
            _line(row, widths, terminal, is_lacking=title.startswith("required"))
        if title == "set" and services:
            terminal.line()
            terminal.line(terminal.paint("given by services when it starts", "bold"))
            terminal.paragraph("  ".join(services))
    if hidden := len(view.undeclared) - len(named):
        terminal.line(terminal.paint(f"  and {hidden} more: --all", "dim"))
    terminal.line()
    _summary(view, variables, terminal)


def _summary(view: EnvView, variables: Sequence[VariableView], terminal: Terminal) -> None:
    lacking = sum(not it.is_set and it.is_required for it in variables)
    stops = sum(finding.stops for finding in view.findings)
    many = f"{counted(len(variables), 'variable')}, {sum(it.is_set for it in variables)} set"
    if lacking:
        many += f", {lacking} missing"
    if stops:
        terminal.line(f"{terminal.mark('failed')} {many}; {stops} in the way of a deploy: underway env check")
    else:
        more = f"; {len(view.findings)} to look at: underway env check" if view.findings else ""
        terminal.line(f"{terminal.mark('done')} {many}{more}")
    if view.undeclared:
        terminal.line(terminal.paint("  lines for [env] of what is not declared: underway env infer", "dim"))


def show_one(each: VariableView, terminal: Terminal) -> None:
    """One variable with everything that is known of it."""
    lines = [
        ("value", _value(each, terminal)),
        ("from", each.from_ or "nothing"),
        ("over", ", ".join(each.over)),
        ("type", each.type),
        ("must be set", "yes" if each.is_required else "no"),
        ("secret", "yes" if each.is_secret else "no"),
        ("set", f"{ago(each.set_at)}{' by ' + clean(each.set_by) if each.set_by else ''}" if each.set_at else ""),
        ("rotation", "the value before it is accepted too" if each.is_rotating else ""),
        ("running", _running(each)),
        ("read at", clean(each.read_at)),
        ("for", clean(each.doc)),
    ]
    terminal.line(terminal.paint(each.name, "bold"))
    for title, text in lines:
        if text:
            terminal.line(f"  {terminal.paint(f'{title:<12}', 'dim')} {text}")


def _running(each: VariableView) -> str:
    if not each.running or not each.fingerprint:
        return ""
    return "the same value" if each.running == each.fingerprint else "another value: this one is staged, not live"


_Row = tuple[str, str, str]


def _row(each: VariableView, terminal: Terminal) -> _Row:
    return each.name, _value(each, terminal), _rest(each) if each.is_set else _wanted(each)


def _named(each: NamedView) -> _Row:
    must = "required" if each.is_required else f"default {clean(each.default)}" if each.default else "optional"
    kind = each.type if each.type != "str" else ""
    return each.name, " ".join(filter(None, (must, "secret" if each.is_secret else kind))), clean(each.where)


def _value(each: VariableView, terminal: Terminal) -> str:
    if not each.is_set:
        return "not set"
    if each.is_secret:
        return _HIDDEN if terminal.has_unicode else "***"
    if each.value:
        return clean(each.value)
    return '""' if not each.from_.startswith(("service", "generated")) else "when it starts"


def _rest(each: VariableView) -> str:
    words = [each.from_]
    if each.running and each.fingerprint and each.running != each.fingerprint:
        words.append("staged, not live")
    if each.over:
        words.append(f"over {', '.join(each.over)}")
    if each.is_rotating:
        words.append("the one before it too")
    if each.set_at:
        words.append(ago(each.set_at) + (f" by {clean(each.set_by)}" if each.set_by else ""))
    if not each.is_declared and not each.from_.startswith("service"):
        words.append("not declared")
    return " · ".join(filter(None, words))


def _wanted(each: VariableView) -> str:
    words = [each.type if each.type != "str" else "", "secret" if each.is_secret else "", clean(each.doc)]
    return " · ".join(filter(None, [*words, clean(each.read_at)]))


def _widths(rows: Sequence[_Row], width: int) -> tuple[int, int, int]:
    """Of name, value and rest: the name whole up to half of the line, then the value, at least 24 for the rest."""
    name = min(max((len(row[0]) for row in rows), default=0), max(20, width // 2 - 4))
    rest = min(max((len(row[2]) for row in rows), default=0), 24)
    value = min(max((len(row[1]) for row in rows), default=0), max(14, width - name - rest - 6))
    return name, value, max(8, width - name - value - 6)


def _line(row: _Row, widths: tuple[int, int, int], terminal: Terminal, *, is_lacking: bool) -> None:
    name, value = _cut(row[0], widths[0], terminal), _cut(row[1], widths[1], terminal)
    style = ("red",) if is_lacking else ("dim",) if value == "not set" else ()
    middle = terminal.paint(f"{value:<{widths[1]}}", *style)
    terminal.line(
        f"  {name:<{widths[0]}}  {middle}  {terminal.paint(_fit(row[2], widths[2], terminal), 'dim')}".rstrip()
    )


def _fit(text: str, width: int, terminal: Terminal) -> str:
    """A place in a file loses its start, everything else its end."""
    if len(text) <= width or not re.search(r"/[^/ ]+:\d+$", text):
        return _cut(text, width, terminal)
    dots = "…" if terminal.has_unicode else "..."
    return dots + text[len(text) - width + len(dots) :]


def _cut(text: str, width: int, terminal: Terminal) -> str:
    if len(text) <= width:
        return text
    dots = "…" if terminal.has_unicode else "..."
    return text[: width - len(dots)] + dots


_TITLES = {
    "env.undeclared": "are named by the repository and not declared in [env]",
    "env.unused": "are set, and nothing in the repository names them",
    "env.only-elsewhere": "are set in another environment and not in this one",
    "env.staged": "were changed after the release was started: staged, not live",
    "env.overdue": "are due to be renewed",
    "env.expires": "expire soon",
    "env.case": "are read under a name that differs in case",
}
_ALONE = 2


def show_findings(view: EnvView, terminal: Terminal, *, is_all: bool) -> None:
    """What stops a deploy in full; the rest by kind, each kind with one remedy."""
    stops = [finding for finding in view.findings if finding.stops]
    show_problems([finding.problem for finding in stops], terminal)
    by_code: dict[str, list[FindingView]] = {}
    for finding in view.findings:
        if not finding.stops:
            by_code.setdefault(finding.problem.code, []).append(finding)
    for code, findings in by_code.items():
        if len(findings) <= _ALONE or code not in _TITLES:
            for finding in findings:
                _alone(finding, terminal)
        else:
            _together(code, findings, terminal, is_all=is_all)
    many = counted(len(view.variables), "variable")
    if stops:
        sign, said = "failed", f"{len(stops)} in the way of a deploy"
    else:
        sign, said = "done", "nothing in the way"
    rest = len(view.findings) - len(stops)
    more = f", {rest} to look at" if rest else ""
    terminal.line(f"{terminal.mark(sign)} {view.app} {view.environment}: {many}, {said}{more}")


def _alone(finding: FindingView, terminal: Terminal) -> None:
    problem = finding.problem
    terminal.line(f"{terminal.mark('warning')} {terminal.paint(clean(problem.where), 'bold')}")
    terminal.line(f"  {clean(problem.why)}")
    _remedy(finding, terminal)


def _together(code: str, findings: Sequence[FindingView], terminal: Terminal, *, is_all: bool) -> None:
    terminal.line(f"{terminal.mark('warning')} {terminal.paint(f'{len(findings)} {_TITLES[code]}', 'bold')}")
    listed = findings if is_all else findings[:_MOST_LISTED]
    width = min(max(len(finding.name) for finding in listed), max(20, terminal.width // 2 - 4))
    for finding in listed:
        name = f"{_cut(finding.name, width, terminal):<{width}}"
        words = clean(_about(code, finding))
        said = _fit(words, max(8, terminal.width - width - 6), terminal)
        terminal.line(f"    {name}  {terminal.paint(said, 'dim')}".rstrip())
    if hidden := len(findings) - len(listed):
        terminal.line(terminal.paint(f"    and {hidden} more: --all", "dim"))
    _remedy(findings[0], terminal, is_for_all=True)


def _about(code: str, finding: FindingView) -> str:
    """What the line says beside the name: the place, or the reason without the name."""
    if code in ("env.undeclared", "env.staged", "env.unused"):
        return finding.problem.where.removesuffix(finding.name).strip()
    return finding.problem.why.removeprefix(f"{finding.name} ")


def _remedy(finding: FindingView, terminal: Terminal, *, is_for_all: bool = False) -> None:
    problem = finding.problem
    terminal.line(f"  {terminal.mark('arrow')} {clean(problem.remedy)}  {terminal.paint(f'[{problem.code}]', 'dim')}")
    if problem.command:
        command = problem.command.replace(finding.name, "NAME") if is_for_all else problem.command
        terminal.line(f"      {terminal.paint(clean(command), 'blue')}")


def show_difference(titles: tuple[str, str], rows: Iterable[_Row], terminal: Terminal) -> None:
    """Names with their value on either side."""
    found = list(rows)
    table = [("", *titles), *found]
    room = terminal.width - 6
    name = min(max(len(row[0]) for row in table), room // 2)
    left = min(max(len(row[1]) for row in table), (room - name) // 2)
    right = max(8, room - name - left)
    for number, row in enumerate(table):
        cells = [_cut(text, width, terminal) for text, width in zip(row, (name, left, right), strict=True)]
        line = f"  {cells[0]:<{name}}  {cells[1]:<{left}}  {cells[2]}".rstrip()
        terminal.line(terminal.paint(line, "bold") if not number else line)
