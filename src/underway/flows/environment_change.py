"""Change an app's environment, or hand values over. Both are journaled: who, when, which names, and never a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from underway.detect.env_names import seems_secret
from underway.environment.layers import UNKNOWN, file_of
from underway.flows.environment import EnvAt, Seen, see
from underway.journal.events.people import EnvironmentChanged, EnvironmentRead
from underway.journal.journal import Journal
from underway.manifest import words
from underway.manifest.env_keys import EnvVar
from underway.plan.parts import env_of
from underway.ports.drivers import Drivers
from underway.ports.vault import VaultChange
from underway.steps.environment import PLATFORM, environment
from underway.terms.environment import BASE, OWN, Environ, Holder, Kept
from underway.terms.problem import Problem, Refusal
from underway.terms.release import Build
from underway.terms.secret import Secret
from underway_kit.values import Malformed
from underway_kit.weak import weakness

MOST_BYTES = 131_000
"""The longest NAME=value that a process can be started with is 128 KiB (MAX_ARG_STRLEN, execve(2))."""
RECIPIENTS = "env/recipients.txt"
FORMER_KEPT = 3


@dataclass(frozen=True)
class Changed:
    """`where` is the file in the repository, or the vault."""

    seen: Seen
    layer: str
    where: str
    put: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class Change:
    """What is asked for; see the API's `EnvChangeAsk`."""

    how: str
    by: str
    put: Mapping[str, str]
    names: tuple[str, ...] = ()
    expires_at: float = 0.0
    is_forced: bool = False


async def change_environment(at: EnvAt, change: Change, on: Drivers, journal: Journal) -> Changed:
    """Raises `Refusal` with everything that is wrong with the names and the values; then nothing was changed."""
    seen = await see(at, on)
    layer = seen.environment
    match change.how:
        case "set":
            _require_good(seen, change)
            kept = {name: _fresh(value, change, on) for name, value in change.put.items()}
            done = _write(seen, at, layer, VaultChange(put=kept), on)
        case "unset":
            _require_there(seen, layer, change.names, at, on)
            done = _write(seen, at, layer, VaultChange(remove=change.names), on)
        case "generate":
            done = _generate(seen, change, on)
        case "rotate":
            done = _rotate(seen, at, layer, change, on)
        case "retire":
            done = _retire(seen, at, layer, change.names, on)
        case _:
            done = _share(seen, at, layer, on)
    if done.put or done.removed:
        journal.record(
            EnvironmentChanged(
                app=seen.manifest.app,
                layer=done.layer,
                how=change.how,
                by=change.by,
                put=done.put,
                removed=done.removed,
            )
        )
    return done


async def hand_over(
    at: EnvAt, process: str, names: tuple[str, ...], by: str, why: str, on: Drivers, journal: Journal
) -> tuple[str, Environ, Seen]:
    """Journal the read, then put the values into a file that only this user can open; the file's path. The names of
    secrets among them are `hidden`.

    Raises `Refusal` for a name that has no value (`env.missing`), and what starting the services raises.
    """
    seen = await see(at, on)
    ask = env_of(seen.manifest, "")
    if missing := [problem for problem in seen.stops if problem.code in ("env.missing", "detect.env-missing")]:
        wanted = [p for p in missing if not names or any(name in p.why for name in names)]
        if wanted:
            raise Refusal(wanted)
    build = Build(key="", dir=str(at.path))
    whole = await environment(ask, build, on, process=process, with_agents=bool(names))
    values = {n: v for n, v in whole.items() if n not in PLATFORM or n == "UNDERWAY_ENVIRONMENT"}
    if unknown := [name for name in names if name not in values]:
        raise Refusal([_not_set(seen, name) for name in unknown])
    if names:
        values = {name: values[name] for name in names}
    journal.record(
        EnvironmentRead(
            app=seen.manifest.app, environment=seen.environment, by=by, why=why, names=tuple(sorted(values))
        )
    )
    return on.vault.hand_over(values), Environ(values, whole.hidden & values.keys()), seen


def _fresh(value: str, change: Change, on: Drivers, former: tuple[Secret, ...] = ()) -> Kept:
    return Kept(
        value=Secret(value), set_at=on.clock.now(), set_by=change.by, expires_at=change.expires_at, former=former
    )


def _write(seen: Seen, at: EnvAt, layer: str, change: VaultChange, on: Drivers) -> Changed:
    """Into the file of the repository when the layer has one, else into the vault."""
    removed = change.remove
    if seen.tree.text(file_of(layer)):
        path = f"{at.path.rstrip('/')}/{file_of(layer)}"
        on.vault.change_file(path, seen.tree.text(RECIPIENTS), change)
        return Changed(seen, layer, file_of(layer), tuple(sorted(change.put)), removed)
    on.vault.change(seen.vault, layer, change)
    return Changed(seen, layer, "vault", tuple(sorted(change.put)), removed)


def _kept(seen: Seen, layer: str, on: Drivers) -> Mapping[str, Kept]:
    if content := seen.tree.text(file_of(layer)):
        return on.vault.file_kept(content, file_of(layer))
    return on.vault.kept(seen.vault, layer)


def _require_good(seen: Seen, change: Change) -> None:
    problems: list[Problem] = []
    for name, value in change.put.items():
        variable = seen.schema.env.get(name) or (UNKNOWN if seems_secret(name) else EnvVar())
        if wrong := (words.ENV_NAME.check or (lambda text: None))(name):
            problems.append(Problem(code="env.name", where=name[:100], why=wrong[0], remedy=wrong[1]))
            continue
        problems += _wrong_with(variable, name, value, is_forced=change.is_forced)
    if problems:
        raise Refusal(problems)


def _wrong_with(variable: EnvVar, name: str, value: str, *, is_forced: bool) -> list[Problem]:
    if "\0" in value:
        why = f"{name}: it holds a NUL character, which no environment can carry"
        return [Problem(code="env.malformed", where=name, why=why, remedy="give it another value")]
    if len(name) + len(value.encode(errors="surrogatepass")) + 2 > MOST_BYTES:
        why = f"{name} has more than {MOST_BYTES} bytes, which no process can be started with"
        return [Problem(code="env.too-long", where=name, why=why, remedy="keep it in a file, and its path here")]
    if is_forced:
        return []
    try:
        variable.rule.parse(value)
    except Malformed as error:
        why = f"{name} is to be of the type {variable.type}: {error.why}"
        remedy = "give it another value, or --force when the manifest is wrong"
        return [Problem(code="env.malformed", where=name, why=why, remedy=remedy)]
    if weak := weakness(variable.rule, value):
        remedy = "give it another value, or --force"
        if variable is UNKNOWN:
            remedy = f"give it another value; if it is no secret, write `{name} = {{}}` into [env], or --force"
        return [Problem(code="env.weak", where=name, why=f"{name}: {weak}", remedy=remedy)]
    return []


def _require_there(seen: Seen, layer: str, names: tuple[str, ...], at: EnvAt, on: Drivers) -> None:
    there = _kept(seen, layer, on)
    if unknown := [name for name in names if name not in there]:
        raise Refusal([_not_there(seen, layer, name) for name in unknown])


def _generate(seen: Seen, change: Change, on: Drivers) -> Changed:
    """Whatever the manifest generates and has no value yet."""
    own = on.vault.kept(seen.manifest.app, OWN)
    made = []
    for name, variable in seen.schema.env.items():
        entry = seen.entries[name]
        is_open = name not in own and (entry.origin is None or entry.origin.holder is Holder.GENERATED)
        if variable.generate and is_open and (not change.names or name in change.names):
            on.vault.ensure(seen.manifest.app, name, variable.generate)
            made.append(name)
    if unknown := [n for n in change.names if n not in seen.schema.env or not seen.schema.env[n].generate]:
        raise Refusal([_not_generated(name) for name in unknown])
    return Changed(seen, OWN, "vault", tuple(sorted(made)))


def _rotate(seen: Seen, at: EnvAt, layer: str, change: Change, on: Drivers) -> Changed:
    """A new value for each name. The old one is kept as `former` where the app reads former values."""
    _require_good(seen, change)
    done: list[str] = []
    where = "vault"
    hints: list[str] = []
    for name in dict.fromkeys((*change.names, *change.put)):
        variable = seen.schema.env.get(name, UNKNOWN)
        entry = seen.entries.get(name)
        is_own = bool(variable.generate) and (
            entry is None or entry.origin is None or entry.origin.holder is Holder.GENERATED
        )
        kept = on.vault.kept(seen.manifest.app, OWN) if is_own else _kept(seen, layer, on)
        if name not in change.put and not is_own:
            raise Refusal([_needs_value(name)])
        was = kept.get(name)
        former = ((was.value, *was.former)[:FORMER_KEPT] if was else ()) if variable.previous else ()
        given = change.put.get(name)
        value = given if given is not None else on.vault.generated(variable.generate).reveal()
        fresh = _fresh(value, change, on, former)
        if is_own:
            on.vault.change(seen.manifest.app, OWN, VaultChange(put={name: fresh}))
        else:
            where = _write(seen, at, layer, VaultChange(put={name: fresh}), on).where
        done.append(name)
        hints.append(
            f"both values of {name} are accepted until: underway env rotate {name} --retire"
            if former
            else f"the old value of {name} ends with the next deploy"
            if was
            else f"{name} had no value before"
        )
    return Changed(seen, layer, where, tuple(done), hint="; ".join(hints))


def _retire(seen: Seen, at: EnvAt, layer: str, names: tuple[str, ...], on: Drivers) -> Changed:
    done = []
    for name in names:
        own = on.vault.kept(seen.manifest.app, OWN)
        if name in own and own[name].former:
            put = {name: replace(own[name], former=())}
            on.vault.change(seen.manifest.app, OWN, VaultChange(put=put))
            done.append(name)
        elif (kept := _kept(seen, layer, on).get(name)) and kept.former:
            _write(seen, at, layer, VaultChange(put={name: replace(kept, former=())}), on)
            done.append(name)
    return Changed(seen, layer, "vault", removed=tuple(done))


def _share(seen: Seen, at: EnvAt, layer: str, on: Drivers) -> Changed:
    """Move what the vault has of a layer into the file that may be committed; close that file anew for everybody who
    may open it now."""
    there = on.vault.kept(seen.vault, layer)
    path = f"{at.path.rstrip('/')}/{file_of(layer)}"
    on.vault.change_file(path, seen.tree.text(RECIPIENTS), VaultChange(put=there))
    on.vault.change(seen.vault, layer, VaultChange(remove=tuple(there)))
    return Changed(seen, layer, file_of(layer), tuple(sorted(there)))


def _not_set(seen: Seen, name: str) -> Problem:
    why = f"{name[:100]} has no value in {seen.environment} of {seen.manifest.app}"
    return Problem(
        code="env.missing", where=name[:100], why=why, remedy="set it first", command=f"underway env set {name[:100]}"
    )


def _not_there(seen: Seen, layer: str, name: str) -> Problem:
    entry = seen.entries.get(name)
    origin = f"; its value is from {entry.origin.says()}" if entry and entry.origin else ""
    where = "its layer " + layer if layer != BASE else "the base"
    why = f"the vault of {seen.vault} has no {name[:100]} in {where}{origin}"
    return Problem(
        code="env.not-there",
        where=name[:100],
        why=why,
        remedy="see where each value comes from",
        command="underway env show",
    )


def _not_generated(name: str) -> Problem:
    why = f"the manifest does not generate {name[:100]}"
    return Problem(
        code="env.not-generated", where=name[:100], why=why, remedy='write generate = "urlsafe" for it, or set it'
    )


def _needs_value(name: str) -> Problem:
    why = f"{name[:100]} is not generated, so its new value is known to you only"
    remedy = "give the new value: the command asks for it, or takes it from stdin"
    return Problem(
        code="env.needs-value", where=name[:100], why=why, remedy=remedy, command=f"underway env rotate {name[:100]}"
    )
