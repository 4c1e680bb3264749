"""An app's environment: seen as a whole, checked, changed, handed to a process. Every read and change is journaled."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from underway.detect.complete import Whole, whole, with_made_up
from underway.detect.env_schema import Named, environment_of
from underway.detect.model import Machine
from underway.detect.stand_ins import stood_in
from underway.environment.check import Scene, check
from underway.environment.dotenv import read as read_dotenv
from underway.environment.layers import chain, file_of, layers_of, require_known, resolve, settled
from underway.journal.journal import Journal
from underway.manifest.model import MANIFEST_FILE, Manifest
from underway.ports import machine as of_machine
from underway.ports.drivers import Drivers
from underway.terms.environment import (
    BASE,
    OWN,
    PRODUCTION,
    Entry,
    Finding,
    Holder,
    Kept,
    fingerprint,
    require_environment,
)
from underway.terms.problem import Problem, Refusal
from underway.terms.release import require_app_name
from underway.terms.secret import Secret
from underway.terms.tree import Tree

_EXAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist", "env.example", "backend/.env.example")
_MISSING = ("env.missing", "detect.env-missing")
_MOST_LOOKED_THROUGH = 4_000


@dataclass(frozen=True)
class EnvAt:
    """Which environment is meant: the repository at `path`, the app's name where it is not the manifest's, and the
    environment's name, empty for the manifest's own."""

    path: str
    app: str = ""
    environment: str = ""
    allow_missing: bool = False
    """Something stands in for required variables without a value, and services that are not provided are left out."""


@dataclass(frozen=True)
class Seen:
    """A repository's environment. `manifest` is the one of a release in this environment, secrets in the clear;
    `schema` the one that was written. `vault` is the app whose values are used."""

    tree: Tree
    text: str | None
    whole: Whole
    manifest: Manifest
    schema: Manifest
    environment: str
    vault: str
    entries: Mapping[str, Entry]
    findings: tuple[Finding, ...]
    named: Mapping[str, Named]
    """What the repository's code and files name."""

    @property
    def stops(self) -> tuple[Problem, ...]:
        return tuple(it.problem for it in self.findings if it.stops)


async def see(at: EnvAt, on: Drivers, journal: Journal | None = None) -> Seen:
    """Everything about one environment. Raises `Refusal` when the manifest is malformed, nothing was recognised, or
    the environment is not known. With `journal`, what is staged is found as well."""
    tree = await asyncio.to_thread(on.sources.look, at.path)
    return await asyncio.to_thread(_see, tree, at, on, journal)


def machine_of(machine: of_machine.Machine) -> Machine:
    """What detection asks of a machine."""
    return Machine(cpus=machine.cpus(), pythons=machine.pythons(), node_version=machine.node())


def _see(tree: Tree, at: EnvAt, on: Drivers, journal: Journal | None) -> Seen:
    text = tree.text(MANIFEST_FILE) or None
    machine = machine_of(on.machine)
    found = whole(tree, machine, text, name=at.app, http_port=on.home.http_port, allow_missing=at.allow_missing)
    environment = require_environment(at.environment or found.manifest.environment)
    vault = found.manifest.vault or found.manifest.app
    if environment != found.manifest.environment and environment not in (PRODUCTION, BASE) and not at.app:
        name = require_app_name(f"{found.manifest.app}-{environment}"[:40].rstrip("-"))
        found = whole(tree, machine, text, name=name, http_port=on.home.http_port, allow_missing=at.allow_missing)
    schema = replace(found.manifest, vault=vault)
    require_known(schema, environment, on.vault.layers(vault))
    names = chain(schema, environment)
    files = {name: kept for name in names if (kept := _of_file(tree, name, on))}
    entries = resolve(
        schema,
        layers_of(
            schema,
            environment,
            vault={name: on.vault.kept(vault, name) for name in names},
            files=files,
            own=on.vault.kept(schema.app, OWN),
        ),
    )
    named = environment_of(tree)
    scene = Scene(
        manifest=schema,
        environment=environment,
        entries=entries,
        now=on.clock.now(),
        reads=tuple(read for each in named.values() for read in each.reads),
        files={name: each.where for name, each in named.items() if not each.reads},
        examples=_examples(tree),
        in_history=on.sources.in_history(at.path, _worth_looking_for(schema, entries)),
        elsewhere=_elsewhere(schema, environment, vault, tree, on),
        mentioned=_mentioned(tree, schema, entries),
        where=lambda name: _where(found, name),
        evidence={name: problem for name, problem in found.missing.items() if name not in _declared(found)},
    )
    findings = check(scene)
    if journal is not None:
        findings += staged(schema.app, entries, on, journal)
    read = [name for name, each in named.items() if each.reads]
    manifest = settled(schema, environment, files, [*read, *_named_in(_commands(schema), entries)])
    if at.allow_missing:
        findings = tuple(it for it in findings if it.problem.code not in _MISSING)
        open_ones = [n for n, it in entries.items() if it.origin is None and manifest.env[n].required]
        manifest, made_up = stood_in(manifest, open_ones, on.home.http_port)
        found = replace(found, claims=with_made_up(found.claims, made_up))
    return Seen(tree, text, found, manifest, schema, environment, vault, entries, findings, named)


def _declared(found: Whole) -> Collection[str]:
    """The variables that the file itself has."""
    env = found.written.values.get("env") if found.written is not None else None
    return env if isinstance(env, Mapping) else ()


def _where(found: Whole, name: str) -> str:
    if found.written is None:
        return f"env.{name}"
    line = found.written.lines.line_of(("env", name))
    return f"{MANIFEST_FILE}:{line} env.{name}" if line else f"{MANIFEST_FILE} env.{name}"


def _of_file(tree: Tree, layer: str, on: Drivers) -> Mapping[str, Kept]:
    content = tree.text(file_of(layer))
    return on.vault.file_kept(content, file_of(layer)) if content else {}


def _examples(tree: Tree) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in _EXAMPLES:
        for name, value in read_dotenv(tree.text(path), is_expanding=False).items():
            if value:
                found.setdefault(name, value)
    return found


def _elsewhere(manifest: Manifest, environment: str, vault: str, tree: Tree, on: Drivers) -> dict[str, frozenset[str]]:
    """What every other environment sets. A development environment is no measure for others."""
    found: dict[str, frozenset[str]] = {}
    others = {*manifest.environments, *on.vault.layers(vault)} - {environment, BASE, "development", "test"}
    for other in sorted(others):
        keys = manifest.environments.get(other)
        names = {*(keys.env if keys else ()), *on.vault.kept(vault, other), *_of_file(tree, other, on)}
        found[other] = frozenset(names)
    return found


def _worth_looking_for(manifest: Manifest, entries: Mapping[str, Entry]) -> dict[str, Secret]:
    """Declared secrets that people have set."""
    return {
        name: entry.value
        for name, entry in entries.items()
        if entry.value is not None
        and entry.origin is not None
        and entry.origin.holder in (Holder.VAULT, Holder.FILE)
        and name in manifest.env
        and manifest.env[name].is_secret
    }


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")


def _mentioned(tree: Tree, manifest: Manifest, entries: Mapping[str, Entry]) -> frozenset[str]:
    """Those names that stand in the tree's texts outside the manifest and `.env` files, in a command, or in what
    monitors and channels of the manifest ask for."""
    wanted = set(entries)
    said = [*_commands(manifest), *(monitor.target for monitor in manifest.monitors)]
    found = _named_in(said, wanted) | (wanted & manifest.alerts.variables)
    for path in tree.paths[:_MOST_LOOKED_THROUGH]:
        if not wanted - found:
            break
        name = path.rpartition("/")[2]
        if path == MANIFEST_FILE or name.startswith(".env") or name.endswith((".lock", ".md", ".age", ".svg")):
            continue
        found |= wanted.intersection(_WORD.findall(tree.text(path)))
    return frozenset(found)


def _commands(manifest: Manifest) -> list[str]:
    return [*(process.command for process in manifest.processes.values()), *manifest.build.commands]


def _named_in(texts: Iterable[str], names: Collection[str]) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text) if word in names}


def staged(app: str, entries: Mapping[str, Entry], on: Drivers, journal: Journal) -> tuple[Finding, ...]:
    """What was set after the live release was started: it has its effect with the next deploy."""
    given = journal.state(app).given
    key = on.vault.key()
    found = []
    for name, entry in sorted(entries.items()):
        if entry.value is None or name not in given or fingerprint(key, entry.value) == given[name]:
            continue
        found.append(
            Finding(
                problem=Problem(
                    code="env.staged",
                    where=f"{entry.origin.says() if entry.origin else app} {name}",
                    why=f"{name} was changed after {app} was started: it is staged, not live",
                    remedy="deploy, and it is live",
                    command="underway deploy",
                ),
                name=name,
                stops=False,
            )
        )
    return tuple(found)


def require_ready(seen: Seen) -> None:
    """Raise `Refusal` with everything of the repository and its environment that stands in a deploy's way."""
    if problems := [*seen.whole.problems, *seen.stops]:
        raise Refusal(problems)
