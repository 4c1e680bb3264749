"""What `init` would write for a repository, with no agent needed."""

from __future__ import annotations

from collections.abc import Mapping

from underway.detect.detect import detect
from underway.detect.init import init_text
from underway.detect.model import Claim, Machine
from underway.drivers.builds.interpreters import available_pythons
from underway.drivers.machine.local import LocalMachine
from underway.drivers.sources.local import LocalSources
from underway.terms.home import Home
from underway.terms.problem import Problem


def recognised(path: str, home: Home, environ: Mapping[str, str]) -> tuple[str, tuple[Claim, ...], tuple[Problem, ...]]:
    """The commented manifest, what it rests on, and what only the owner can know. Raises `Refusal` for what is no
    repository."""
    machine = LocalMachine(home, lambda: available_pythons(home.cache, environ))
    found = detect(
        LocalSources(home).look(path),
        machine=Machine(cpus=machine.cpus(), pythons=machine.pythons(), node_version=machine.node()),
    )
    return (init_text(found) if found.manifest else ""), found.claims, found.problems
