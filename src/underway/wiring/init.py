"""What `init` would write for a repository, with no agent needed."""

from __future__ import annotations

from collections.abc import Mapping

from underway.detect.complete import whole
from underway.detect.detect import detect
from underway.detect.init import init_text
from underway.detect.model import Claim, Machine
from underway.drivers.builds.interpreters import available_pythons
from underway.drivers.machine.local import LocalMachine
from underway.drivers.sources.local import LocalSources
from underway.environment.words import MADE
from underway.flows.environment import machine_of
from underway.manifest.model import MANIFEST_FILE, Manifest
from underway.terms.home import Home
from underway.terms.problem import Problem


def recognised(path: str, home: Home, environ: Mapping[str, str]) -> tuple[str, tuple[Claim, ...], tuple[Problem, ...]]:
    """The commented manifest, what it rests on, and what only the owner can know. Raises `Refusal` for what is no
    repository."""
    found = detect(LocalSources(home).look(path), machine=_machine(home, environ))
    return (init_text(found) if found.manifest else ""), found.claims, found.problems


def whole_manifest(path: str, home: Home, environ: Mapping[str, str]) -> Manifest:
    """The manifest of a repository with what it leaves out filled in, with no agent. Raises `Refusal`."""
    tree = LocalSources(home).look(path)
    about = _machine(home, environ)
    return whole(tree, about, tree.text(MANIFEST_FILE) or None, http_port=home.http_port).unexpanded


def _machine(home: Home, environ: Mapping[str, str]) -> Machine:
    return machine_of(LocalMachine(home, lambda: available_pythons(home.cache, environ)))


def made_files(path: str, home: Home) -> Mapping[str, str]:
    """The texts of a repository that say they were made from its `[env]`."""
    tree = LocalSources(home).look(path)
    endings = (".env.example", "ENVIRONMENT.md", ".py", ".ts")
    texts = {name: tree.text(name) for name in tree.paths if name.endswith(endings)}
    return {name: text for name, text in texts.items() if MADE.partition("{")[0] in text[:2000]}
