"""Where a Node server listens: the variable of its port, a port that it insists on, and its address."""

from __future__ import annotations

import re

from underway.detect.index import Index
from underway.detect.model import Evidence, Notes
from underway.detect.node import NodeProject
from underway.manifest.build import LISTEN_MODULE

_PORTS = re.compile(
    r"process\.env(?:\.|\[['\"])((?:APP|SERVER|HTTP|NODE|API|WEB|BACKEND|SERVER_HTTP|NEST|EXPRESS)_?PORT)\b"
)
_PORT_NAMED = re.compile(
    r"""(?:['"`]|(?<=[\s{,]))((?:APP|SERVER|HTTP|NODE|API|WEB|BACKEND)_PORT)(?:['"`]|\s*:\s*(?:z|[Jj]oi|str|num|port)\b)"""
)
"""The same in a list or a schema of settings, where no source reads it by its name."""
_READ = re.compile(
    r"""\benv\b(?![^\n]{0,30}\b(?i:redis|db|database|pg|postgres|smtp|mail|queue)\b)[^\n]{0,40}\bPORT\b|['"]PORT['"]|\bPORT[?!]?\s*:\s*(?:z|[Jj]oi|yup|num|port|str|int|env\w*|Type|number)\b"""
    r"""|\bPORT\b[^{}]*\}\s*=\s*process\.env|\bPORT\b[^\n]{0,20}(?:\|\||\?\?)"""
)
_NUMBER = re.compile(r"\.listen\(\s*(?:\{\s*port\s*:\s*)?(\d{2,5})\s*[,)}]")
_NAMED = re.compile(r"\.listen\(\s*(?:\{\s*port\s*:\s*)?([A-Za-z_$][\w$]{0,40})\s*[,)}]")
_NO_SERVER = re.compile(r"(^|/)(tests?|e2e|__tests__|examples?|docs|scripts)/|\.(test|spec)\.")


def listening(index: Index, paths: list[str], project: NodeProject, command: str, notes: Notes) -> str:
    """The command with what makes the server listen on $PORT and on 127.0.0.1 alone.

    Without that its port would be open to everybody beside the proxy, and where it is fixed in the code, two releases
    could not run at once.
    """
    is_told = project.built is not None and project.built.command == command  # by HOST and PORT
    if is_told or "$PORT" in command:
        return command
    words = []
    sources = [p for p in paths if not _NO_SERVER.search(p[len(project.folder) :])]
    is_read = any(_READ.search(index.text(path)) for path in sources)
    named = None if is_read else _variable(index, sources)
    fixed = None if is_read or named else _fixed(index, sources)
    if named is not None:
        notes.claim("server", f"it listens on {named[0]}, which gets the port", named[1])
        words.append(f"{named[0]}=$PORT")
    elif fixed is not None:
        says = f"it listens on port {fixed[0]} always: {LISTEN_MODULE} gives it its own in place of that"
        notes.claim("server", says, fixed[1])
        words.append(f"UNDERWAY_FIXED_PORT={fixed[0]}")
    elif not is_read:
        notes.claim("server", f"nothing in it reads PORT: what it listens on first gets the port, by {LISTEN_MODULE}")
        words.append("UNDERWAY_FIXED_PORT=first")
    if re.match(r"bunx?\b", command) or re.match(r"bunx?\b", project.scripts.get("start", "")):
        return " ".join([*words, f'BUN_OPTIONS="--preload=$PWD/{LISTEN_MODULE} $BUN_OPTIONS"', command])
    if command.startswith("node "):
        return " ".join([*words, f"node --require ./{LISTEN_MODULE}", command.removeprefix("node ")])
    return " ".join([*words, f'NODE_OPTIONS="--require=$PWD/{LISTEN_MODULE} $NODE_OPTIONS"', command])


def _variable(index: Index, paths: list[str]) -> tuple[str, Evidence] | None:
    """The variable that names the port where no source reads PORT itself."""
    for path in paths:
        text = index.text(path)
        at = (_PORTS.search(text) or _PORT_NAMED.search(text)) if "process.env" in text else None
        if at:
            return at[1], Evidence.at(path, text, at.start())
    return None


def _fixed(index: Index, paths: list[str]) -> tuple[str, Evidence] | None:
    """The number that a source listens on, written there or in a constant of the same file."""
    for path in paths:
        text = index.text(path)
        found = _NUMBER.search(text)
        if found:
            return found[1], Evidence.at(path, text, found.start())
        named = _NAMED.search(text)
        value = named and re.search(rf"\b(?:const|let|var)\s+{re.escape(named[1])}\s*=\s*(\d{{2,5}})\b", text)
        if named and value:
            return value[1], Evidence.at(path, text, value.start())
    return None
