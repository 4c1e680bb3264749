"""Names that a repository declares to be variables of the environment, and that its code writes as a text.

The last resort for wrappers that no rule knows. A name in `.env.example`, in compose, in a type of `process.env` or on
a page about settings may be old, or another program's; one that stands in quotes in the code besides is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from underway.detect.env_files import named_in_files
from underway.detect.index import Index
from underway.detect.model import Evidence
from underway.detect.python_code import EnvRead

_NAME = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"
"""With an underscore: a single word (`DEBUG`, `GET`) stands in quotes for many reasons."""
_ASSIGNED = re.compile(rf"(?m)^[ \t]*(?:#[ \t]*)?(?:export[ \t]+)?({_NAME})[ \t]*=")
_EXAMPLE = r"\.?env(?:[._-][\w.-]+)?|[\w-]+\.env(?:\.[\w-]+)?|[\w-]+\.conf"
_TYPED = re.compile(r"\binterface\s+(?:ProcessEnv|ImportMetaEnv|EnvironmentVariables)\b[^{]{0,100}\{([^}]{0,20000})\}")
_TYPED_KEY = re.compile(rf"(?m)^\s*(?:readonly\s+)?['\"]?({_NAME})['\"]?\??\s*:")
_PAGE = re.compile(
    rf"(?m)^[ \t`]*(?:export[ \t]+|-e[ \t]+|-[ \t]+)?({_NAME})=|^\.(?:B|BR|It|TP|IP)\s+(?:Ev\s+)?\"?({_NAME})\b"
)
_ENTRY = re.compile(rf"(?m)^[ \t]*(?:\||[*-][ \t]|#{{2,6}}[ \t])[ \t]*[*`]*({_NAME})\b")
"""What a table, a list or a heading begins with, on a page about settings."""
_ABOUT_SETTINGS = re.compile(r"(?:^|/)[^/]*(?:env|config|setting|variable)[^/]*$", re.IGNORECASE)
_ABOUT = re.compile(r"environment variable|env(?:ironment)? var|\.env\b", re.IGNORECASE)
_QUOTED = re.compile(rf"([\"'`])({_NAME})\1")
_COMMENT = re.compile(r"(?m)^[ \t]*(?:#|//|\*[ \t/]|/\*).*$")
_MOST_PAGES = 120
_LONGEST = 300_000


def declared_reads(index: Index, sources: Iterable[str], known: set[str]) -> Iterator[EnvRead]:
    """Reads in these sources, by path, of names that are declared and not `known` to be read already."""
    wanted = {name for name in _declared(index) if name not in known}
    if not wanted:
        return
    for path in sources:
        text = index.text(path)
        plain = _COMMENT.sub("", text[:_LONGEST])
        for found in _QUOTED.finditer(plain):
            if found[2] in wanted and not _is_written(plain, found):
                wanted.discard(found[2])
                at = Evidence.at(path, plain, found.start())
                yield EnvRead(found[2], at, is_required=False)


def _is_written(text: str, found: re.Match[str]) -> bool:
    """True for `environ.setdefault("X", …)` and `environ["X"] = …`."""
    before, after = text[max(0, found.start() - 20) : found.start()], text[found.end() : found.end() + 20]
    return bool(re.search(r"\bsetdefault\(\s*$", before) or re.match(r"\s*\]\s*=(?!=)", after))


def _declared(index: Index) -> set[str]:
    files = ((name, at.path) for name, at, _ in named_in_files(index))
    names = {name for name, path in files if re.fullmatch(_NAME, name) and not path.startswith(".github/")}
    for path in index.matching(_EXAMPLE)[:40]:
        names |= set(_ASSIGNED.findall(index.text(path)[:_LONGEST]))
    for path in index.ending(".d.ts", "env.ts", "environment.ts"):
        for found in _TYPED.finditer(index.text(path)):
            names |= set(_TYPED_KEY.findall(found[1]))
    for path in index.named("turbo.json")[:4]:
        names |= set(re.findall(rf'"({_NAME})"', index.text(path)))
    pages = [path for path in index.paths if path.endswith((".md", ".mdx", ".rst", ".adoc", ".1", ".5"))]
    for path in sorted(pages, key=lambda each: (each.count("/"), each))[:_MOST_PAGES]:
        text = index.text(path)[:_LONGEST]
        if _ABOUT.search(text):
            names |= {group for found in _PAGE.finditer(text) for group in found.groups() if group}
            names |= set(_ENTRY.findall(text)) if _ABOUT_SETTINGS.search(path) else set()
    return names
