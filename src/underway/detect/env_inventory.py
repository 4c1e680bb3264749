"""Every environment variable that a repository's own code reads by name, in whatever language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from underway.detect.config_env import config_reads
from underway.detect.env_declared import declared_reads
from underway.detect.env_go import go_reads
from underway.detect.index import Index
from underway.detect.model import Evidence
from underway.detect.node_env import node_env_reads
from underway.detect.python_code import EnvRead, PythonCode
from underway.detect.python_env import env_reads
from underway.detect.python_prefixed import prefixed_reads
from underway.detect.shell_env import shell_reads
from underway.terms.tree import Tree

_SCRIPTS = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".vue", ".svelte", ".astro")
_OF_OTHERS = re.compile(
    r"(?:^|/)(?:cypress|dist|out|\.next|\.output|\.yarn|public|assets/vendor|third_party)/.*|"
    r"(?:.*/)?(?:cypress|playwright)/.*|(?:.*/)?test[-_](?:helpers?|utils?|support|setup)/.*|.*\.(?:min\.[cm]?js|d\.[cm]?ts)$|"
    r"(?:.*/)?[^/]*(?:[._-](?:test|spec|stories)\.\w+|(?:playwright|cypress|jest|vitest|karma|wdio)[\w.-]*\.conf(?:ig)?\.\w+)$"
)
_LARGEST_SCRIPT = 300_000
_MADE = re.compile(r"(?:^|/)build/")
_LONG_LINE = re.compile(r"[^\n]{2000}")
_PYTHON_TEST = re.compile(r"(?:^|/)(?:tests?|conftest|test_[^/]*|[^/]*_tests?)\.py$")
_ENV_WORDS = re.compile(
    r"environ|getenv|BaseSettings|[cC]onfig\(|\benv\(|\benv\.|\b\w*[Ee]nv\w*\(|envvar|from_prefixed_env|Dynaconf|Validator\("
)
_PYTHON = (".py", ".py.template", ".py.tmpl", ".py.dist", ".py.in")
"""Settings that are copied into place are read as well."""
_MOST_PARSED = 3_000_000
"""Characters of Python that are parsed for names alone: three seconds' work at most."""

_NAME = r"([A-Za-z_][A-Za-z0-9_]{0,100})"
_RUBY = re.compile(
    rf"""\bENV(?:(?P<fetch>\.fetch\(\s*)|\.(?:key|has_key|include|dig)\??\(\s*|\[\s*)["']{_NAME}["'](?!\]\s*=(?![=~]))"""
    r"(?P<bare>\s*\)(?!\s*(?:\{|do\b)))?"
)
"""`ENV["X"] = …` writes; `ENV["X"] ||= …` reads as well."""
_BY_PATTERN: dict[str, re.Pattern[str]] = {
    **dict.fromkeys((".rb", ".rake", ".ru", "Rakefile", "Gemfile"), _RUBY),
    ".rs": re.compile(rf"""\benv::var(?:_os)?\(\s*"{_NAME}"|\b(?:option_)?env!\(\s*"{_NAME}\""""),
    ".php": re.compile(rf"""\b(?:getenv|env)\(\s*["']{_NAME}["']|\$_(?:ENV|SERVER)\[\s*["']{_NAME}["']"""),
    ".java": re.compile(rf"""\bSystem\.getenv\(\s*"{_NAME}\""""),
    ".kt": re.compile(rf"""\bSystem\.getenv\(\s*"{_NAME}\""""),
    ".cs": re.compile(rf"""\bEnvironment\.GetEnvironmentVariable\(\s*"{_NAME}\""""),
    ".ex": re.compile(rf"""\bSystem\.(?:get_env|fetch_env!?)\(\s*"{_NAME}\""""),
    ".exs": re.compile(rf"""\bSystem\.(?:get_env|fetch_env!?)\(\s*"{_NAME}\""""),
}
_TESTS = ("_spec.rb", "_test.rb", "_test.exs", "_test.go")
_MUST = re.compile(r"fetch_env!|env::var\(|env!")
_LINE_COMMENT = {
    "#": re.compile(r"(?m)^[ \t]*#.*$"),
    "//": re.compile(r"(?m)^[ \t]*(?://|\*[ \t/]|/\*).*$"),
}
_TEMPLATED = re.compile(r"<%.*?%>", re.DOTALL)


def every_read(tree: Tree) -> list[EnvRead]:
    """All reads; tests, documents, examples and code of others are left out, and what a framework reads by itself."""
    index = Index(tree)
    code = PythonCode(index, ends=_PYTHON, worth=_ENV_WORDS, most_parsed=_MOST_PARSED)
    out = [r for r in [*env_reads(code), *prefixed_reads(code)] if not _PYTHON_TEST.search(r.evidence.path)]
    out += node_env_reads(index, [path for path in index.ending(*_SCRIPTS) if _is_own(index, path)])
    go = [path for path in index.ending(".go") if _is_own(index, path) and not path.endswith("_test.go")]
    out += go_reads({path: _without_comments(path, index.text(path)) for path in go})
    for end, pattern in _BY_PATTERN.items():
        for path in index.ending(end):
            if _is_own(index, path) and not path.endswith(_TESTS):
                out += _by_pattern(path, _without_comments(path, index.text(path)), pattern)
    for path in index.ending(".yml", ".yaml", ".erb"):  # Rails fills these in before it reads them
        if _is_own(index, path) and "ENV" in (text := index.text(path)):
            for part in _TEMPLATED.finditer(_without_comments(path, text)):
                above = text.count("\n", 0, part.start())
                out += _by_pattern(path, part[0], _RUBY, above)
    out += [*shell_reads(index), *config_reads(index)]
    return [*out, *declared_reads(index, _sources(index), {read.name for read in out})]


def _sources(index: Index) -> list[str]:
    """The app's own sources in every language that is read here."""
    ends = (*_PYTHON, *_SCRIPTS, ".go", *(end for end in _BY_PATTERN if end.startswith(".") and end != ".prisma"))
    return [
        path
        for path in index.ending(*ends)
        if _is_own(index, path) and not _PYTHON_TEST.search(path) and not path.endswith(_TESTS)
    ]


def _by_pattern(path: str, text: str, pattern: re.Pattern[str], above: int = 0) -> Iterator[EnvRead]:
    for found in pattern.finditer(text):
        groups = found.groupdict()
        name = next(group for group in found.groups() if group and group not in groups.values())
        must = bool(groups.get("fetch") and groups.get("bare")) if pattern is _RUBY else bool(_MUST.search(found[0]))
        yield EnvRead(name, Evidence.at(path, text, found.start(), above=above), is_required=must)


def _without_comments(path: str, text: str) -> str:
    """The text with every line that is a comment left empty."""
    is_hash = path.endswith((".rb", ".rake", ".ru", "Rakefile", "Gemfile", ".ex", ".exs", ".yml", ".yaml", ".erb"))
    return _LINE_COMMENT["#" if is_hash else "//"].sub("", text)


def _is_own(index: Index, path: str) -> bool:
    if _OF_OTHERS.match(path) or len(index.text(path)) > _LARGEST_SCRIPT:
        return False
    return not (_MADE.search(path) and _LONG_LINE.search(index.text(path)))
