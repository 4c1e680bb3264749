"""The variables that an app reads, with the examples that its repository has for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from underway.detect.index import Index, by_depth
from underway.detect.model import Evidence
from underway.detect.python_code import EnvRead
from underway.manifest.env_keys import EnvVar
from underway.terms.environment import Read

_EXAMPLES = (
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    "env.example",
    "example.env",
    ".env.prod.example",
    "sample.env",
    ".env.production.example",
    ".env.production",
    ".env",
    ".env-example",
    ".env-sample",
    ".flaskenv",
)
_EXAMPLE = r"\.?env[._-](?:example|sample|template|dist)[\w.-]*|[\w-]+\.env(?:\.(?:example|sample|template|dist))?"


_OWN = frozenset(
    {"PORT", "HOME", "PATH", "PWD", "USER", "LANG", "TZ", "CI", "SHELL", "TERM", "HOSTNAME", "TMPDIR"}
    | {"UNDERWAY_APP", "UNDERWAY_RELEASE"}
)
"""Names that a system or Underway gives every process."""


@dataclass
class Variable:
    """One variable: all places that read it, and an example value from the repository."""

    name: str
    reads: list[EnvRead] = field(default_factory=list)
    example: str | None = None
    example_at: Evidence | None = None

    @property
    def is_required(self) -> bool:
        """True when starting fails without it: some reader has no default and is not in a branch."""
        return any(r.is_required and not r.is_conditional for r in self.reads) and not any(
            not r.is_required and r.default not in (None, "") for r in self.reads
        )

    @property
    def default(self) -> str | None:
        return next((r.default for r in self.reads if r.default is not None), None)

    @property
    def evidence(self) -> Evidence:
        required = [r.evidence for r in self.reads if r.is_required]
        return (required or [r.evidence for r in self.reads])[0]

    @property
    def part(self) -> str:
        """The part of the database's address that the code takes it for, whatever its name; empty for none."""
        return next((r.part for r in self.reads if r.part), "")

    @property
    def known_values(self) -> list[str]:
        return [v for v in (self.example, self.default) if v]


@dataclass
class Given:
    """What the variables add up to. `postgres` and `redis` map names to parts."""

    env: dict[str, EnvVar] = field(default_factory=dict)
    postgres: dict[str, str] = field(default_factory=dict)
    redis: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)


def gather(index: Index, reads: list[EnvRead]) -> dict[str, Variable]:
    """Variables by name, with the examples that the repository has for them."""
    out: dict[str, Variable] = {}
    for read in reads:
        if read.name not in _OWN and len(out) < 1000:
            out.setdefault(read.name, Variable(read.name)).reads.append(read)
    for path in dict.fromkeys([*by_depth(index.named(*_EXAMPLES))[:8], *index.matching(_EXAMPLE)[:6]]):
        for number, line in enumerate(index.text(path).split("\n")[:1000], 1):
            found = re.match(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$", line)
            if found and found[1].upper() in out and out[found[1].upper()].example is None:
                one = out[found[1].upper()]
            elif found and found[1] in out and out[found[1]].example is None:
                one = out[found[1]]
            else:
                continue
            one.example = _unquoted(found[2])[:2000]
            one.example_at = Evidence(path, number)
    return out


def places(variables: dict[str, Variable]) -> list[Read]:
    """Where the code reads each variable."""
    return [
        Read(
            name=one.name,
            where=str(read.evidence),
            is_required=read.is_required and not read.is_conditional,
            has_default=read.default is not None,
        )
        for one in variables.values()
        for read in one.reads
    ]


def _unquoted(text: str) -> str:
    quoted = re.match(r"""(["'])(.*?)\1\s*(?:#.*)?$""", text)
    if quoted:
        return quoted[2]
    return re.sub(r"\s+#.*", "", text)
