"""Every environment variable that a repository's own code reads by name, in whatever language."""

from __future__ import annotations

import re

from underway.detect.index import Index
from underway.detect.model import Evidence
from underway.detect.node_env import node_env_reads
from underway.detect.python_code import EnvRead, PythonCode
from underway.detect.python_env import env_reads
from underway.detect.python_prefixed import prefixed_reads
from underway.terms.tree import Tree

_SCRIPTS = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".vue", ".svelte", ".astro")
_OF_OTHERS = re.compile(
    r"(?:^|/)(?:cypress|dist|build|out|\.next|\.output|\.yarn|public|assets/vendor|third_party)/.*|.*\.(?:min\.[cm]?js|d\.[cm]?ts)$|"
    r"(?:.*/)?[^/]*(?:[._-](?:test|spec|stories)\.\w+|(?:playwright|cypress|jest|vitest|karma|wdio)[\w.-]*\.config\.\w+)$"
)
_LARGEST_SCRIPT = 300_000

_NAME = r"([A-Za-z_][A-Za-z0-9_]{0,100})"
_BY_PATTERN: dict[str, re.Pattern[str]] = {
    ".go": re.compile(rf"""\bos\.(?:Getenv|LookupEnv)\(\s*["`]{_NAME}["`]|\b(?:env|envconfig):"{_NAME}"""),
    ".rb": re.compile(rf"""\bENV(?:\.fetch\(\s*|\[\s*)["']{_NAME}["']"""),
    ".rs": re.compile(rf"""\benv::var(?:_os)?\(\s*"{_NAME}"|\b(?:option_)?env!\(\s*"{_NAME}\""""),
    ".php": re.compile(rf"""\b(?:getenv|env)\(\s*["']{_NAME}["']|\$_(?:ENV|SERVER)\[\s*["']{_NAME}["']"""),
    ".java": re.compile(rf"""\bSystem\.getenv\(\s*"{_NAME}\""""),
    ".kt": re.compile(rf"""\bSystem\.getenv\(\s*"{_NAME}\""""),
    ".cs": re.compile(rf"""\bEnvironment\.GetEnvironmentVariable\(\s*"{_NAME}\""""),
    ".ex": re.compile(rf"""\bSystem\.(?:get_env|fetch_env!?)\(\s*"{_NAME}\""""),
    ".exs": re.compile(rf"""\bSystem\.(?:get_env|fetch_env!?)\(\s*"{_NAME}\""""),
}
_MUST = re.compile(r"fetch|LookupEnv|env::var\(|env!")


def every_read(tree: Tree) -> list[EnvRead]:
    """All reads; tests, documents, examples and code of others are left out, and what a framework reads by itself."""
    index = Index(tree)
    code = PythonCode(index)
    out = [*env_reads(code), *prefixed_reads(code)]
    out += node_env_reads(index, [path for path in index.ending(*_SCRIPTS) if _is_own(index, path)])
    for end, pattern in _BY_PATTERN.items():
        for path in index.ending(end):
            if not _is_own(index, path) or path.endswith(("_test.go", "_spec.rb", "_test.rb")):
                continue
            text = index.text(path)
            for found in pattern.finditer(text):
                name = next(group for group in found.groups() if group)
                at = Evidence(path, text.count("\n", 0, found.start()) + 1)
                must = (
                    end in (".rb", ".ex", ".exs", ".rs") and bool(_MUST.search(found[0])) and "fetch(" not in found[0]
                )
                out.append(EnvRead(name, at, is_required=must))
    return out


def _is_own(index: Index, path: str) -> bool:
    return not _OF_OTHERS.match(path) and len(index.text(path)) <= _LARGEST_SCRIPT
