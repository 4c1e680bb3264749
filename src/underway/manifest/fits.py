"""Rules that bind several keys of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from underway.manifest.build import PythonBuild
from underway.manifest.env_keys import EnvVar
from underway.manifest.limits import LimitKeys, limit_fits
from underway.manifest.model import Health, Manifest
from underway.manifest.probe_words import PLACEHOLDER, UNIQUE
from underway.manifest.release import Margins, Windows
from underway.manifest.services import Postgres
from underway.manifest.smoke import Journey, Smoke
from underway.manifest.spending import KeepAwakeKeys
from underway.manifest.spot import Spot, shown
from underway.manifest.windows import next_open
from underway.terms.environment import BASE, PRODUCTION
from underway_kit.values import LIST_OF


def _python_build(build: PythonBuild, spot: Spot) -> None:
    if build.requirements and build.manager != "pip":
        spot.at("requirements").refuse(
            f'requirements are for manager "pip", and this is "{build.manager}"',
            f"remove requirements; {build.manager} installs from its lock",
            "manifest.conflict",
        )
    if build.as_of and build.manager not in ("pip", "setuptools"):
        spot.at("as_of").refuse(
            f"{build.manager} installs the versions of its lock, whatever the day",
            "remove as_of, or lock again with the versions you want",
            "manifest.conflict",
        )


def _health(health: Health, spot: Spot) -> None:
    needed_s = (health.successes - 1) * health.interval_s
    if needed_s >= health.timeout_s:
        spot.at("timeout").refuse(
            f"{health.successes} answers {health.interval_s:g} s apart take {needed_s:g} s, and the time limit is "
            f"{health.timeout_s:g} s: nothing could become healthy",
            f'write timeout = "{int(needed_s * 2) + 1}s", or fewer successes',
            "manifest.conflict",
        )


_BLANK = "…"
_BLANK_LOGIN = "://user:password@host"
"""What Underway's own examples have where the value belongs."""


def _env_var(variable: EnvVar, spot: Spot) -> None:
    if variable.value == _BLANK or _BLANK_LOGIN in variable.value:
        spot.refuse(f"{shown(variable.value)} keeps the place of the value and is none", "write the value in its place")
    if variable.value and variable.generate:
        spot.at("generate").refuse(
            "it has a value and is to be generated", "keep one of value and generate", "manifest.conflict"
        )
    if variable.source and (variable.value or variable.generate):
        spot.at("from").refuse(
            "it comes from elsewhere and has a value of its own as well",
            "keep one of from, value and generate",
            "manifest.conflict",
        )
    of = variable.type.removeprefix(LIST_OF)
    if (of == "enum") != bool(variable.choices):
        why = "enum needs its words" if of == "enum" else f"choices belong to the type enum, and this is {of}"
        spot.at("choices").refuse(why, 'write type = "enum" and choices = ["a", "b"] together', "manifest.conflict")
    if (of == "regex") != bool(variable.pattern):
        why = "regex needs its pattern" if of == "regex" else f"a pattern belongs to the type regex, and this is {of}"
        spot.at("pattern").refuse(why, 'write type = "regex" and pattern = "…" together', "manifest.conflict")
    if variable.at == "build" and variable.is_secret:
        spot.at("at").refuse(
            "a secret is never part of a build, and this one is for builds only",
            'remove secret, or write at = "run"',
            "manifest.conflict",
        )


def _postgres(postgres: Postgres, spot: Spot) -> None:
    if postgres.url and postgres.extensions:
        spot.at("extensions").refuse(
            "extensions are made in a database that Underway provides, and url names one of your own",
            "make them there yourself and remove extensions",
            "manifest.conflict",
        )


def _margins(margins: Margins, spot: Spot) -> None:
    if margins.slower_ask > margins.slower:
        spot.at("slower_ask").refuse(
            "a person would be asked only when the release is already taken back",
            "write a smaller slower_ask, or a larger slower",
            "manifest.conflict",
        )


def _windows(windows: Windows, spot: Spot) -> None:
    if next_open(0, windows.allow, windows.deny) is None:
        spot.at("deny" if windows.deny else "allow").refuse(
            "no release could ever get a user: nothing of the week is left",
            "leave some time of the week open",
            "manifest.conflict",
        )


def _smoke(smoke: Smoke, spot: Spot) -> None:
    bodies = [name for name, value in (("body", smoke.body), ("json", smoke.json), ("form", smoke.form)) if value]
    if len(bodies) > 1:
        spot.at(bodies[1]).refuse(
            f"it has {' and '.join(bodies)}, and a request has one body", "keep one of them", "manifest.conflict"
        )
    if bodies and smoke.method in ("GET", "HEAD"):
        spot.at(bodies[0]).refuse(
            f"a {smoke.method} request carries no body", 'write method = "POST", or remove it', "manifest.conflict"
        )


def _journey(journey: Journey, spot: Spot) -> None:
    if not journey.steps:
        spot.at("steps").refuse("it has no steps", "write [[journey.steps]] and a path below", "manifest.missing")
    kept: set[str] = set()
    for number, step in enumerate(journey.steps):
        _kept_before(step, kept, spot.at("steps").at(number))
        kept |= set(step.keep)


def _kept_before(smoke: Smoke, kept: Collection[str], spot: Spot) -> None:
    """Every `${name}` of the request was kept by an earlier step."""
    for key, named in _named_in(smoke).items():
        for name in sorted(named - set(kept) - {UNIQUE}):
            if not name.startswith("env."):
                spot.at(key).refuse(
                    f"${{{name}}} was kept by no earlier step",
                    f'let a step before it write keep = {{{name} = "json:…"}}, or name a variable: ${{env.NAME}}',
                    "manifest.conflict",
                )


def _variables_known(smoke: Smoke, manifest: Manifest, spot: Spot) -> None:
    for key, named in _named_in(smoke).items():
        for name in sorted(named):
            variable = name.removeprefix("env.")
            if variable != name and variable not in manifest.env:
                spot.at(key).refuse(
                    f"{variable} is no variable of the app", f"add {variable} under [env]", "manifest.conflict"
                )


def _named_in(smoke: Smoke) -> Mapping[str, set[str]]:
    """By key, the names that stand in its values as `${name}`."""
    parts = {
        "path": [smoke.path],
        "headers": list(smoke.headers.values()),
        "body": [smoke.body],
        "json": [smoke.json],
        "form": list(smoke.form.values()),
    }
    return {key: {name for text in texts for name in PLACEHOLDER.findall(text)} for key, texts in parts.items()}


def _keep_awake(keys: KeepAwakeKeys, spot: Spot) -> None:
    if keys.every_s >= keys.sleeps_after_s:
        spot.at("every").refuse(
            f"it falls asleep after {keys.sleeps_after_s:g} s, before it is asked again",
            "ask more often than it falls asleep",
            "manifest.conflict",
        )
    if keys.allowance_s < keys.sleeps_after_s:
        spot.at("allowance").refuse(
            f"one ping keeps it awake for {keys.sleeps_after_s:g} s, which is more than its allowance",
            "allow more, or remove it",
            "manifest.conflict",
        )


CHECKS: Mapping[type[Any], tuple[Callable[[Any, Spot], None], ...]] = {
    PythonBuild: (_python_build,),
    Health: (_health,),
    EnvVar: (_env_var,),
    Postgres: (_postgres,),
    Margins: (_margins,),
    Windows: (_windows,),
    Smoke: (_smoke,),
    Journey: (_journey,),
    LimitKeys: (limit_fits,),
    KeepAwakeKeys: (_keep_awake,),
}
"""By table: what must hold once each of its keys is right."""


def whole_fits(manifest: Manifest, spot: Spot) -> None:
    """Note what does not fit between the tables of a manifest that is about to be deployed."""
    if manifest.tls == "auto" and not manifest.domains:
        spot.at("tls").refuse(
            'tls = "auto" gets a certificate for the domains, and there is none',
            'add domains = ["shop.example.com"], or remove tls',
            "manifest.conflict",
        )
    if not manifest.processes and manifest.static is None:
        spot.refuse(
            "there is nothing to run and nothing to serve",
            "add [processes.web] with its command, or [static] with its dir",
            "manifest.nothing-to-run",
        )
    if manifest.processes and "web" not in manifest.processes and manifest.static is None:
        spot.at("processes").refuse(
            "no process is called web, so nothing would get the traffic",
            "name the one that listens on $PORT web",
            "manifest.nothing-to-run",
        )
    if manifest.release.when_quiet == "probe" and not manifest.smokes and not manifest.journeys:
        spot.at("release").at("when_quiet").refuse(
            "there is nothing to probe with: no [[smoke]] and no [[journey]]",
            'write one, or when_quiet = "wait"',
            "manifest.conflict",
        )
    for number, smoke in enumerate(manifest.smokes):
        here = spot.at("smoke").at(number)
        _kept_before(smoke, (), here)
        _variables_known(smoke, manifest, here)
        if smoke.keep:
            here.at("keep").refuse(
                "a request alone has no later step to keep a value for",
                "make it a step of a [[journey]], or remove keep",
                "manifest.conflict",
            )
    for number, journey in enumerate(manifest.journeys):
        for place, step in enumerate(journey.steps):
            _variables_known(step, manifest, spot.at("journey").at(number).at("steps").at(place))
    _environments(manifest, spot)
    twice = sorted(set(manifest.env) & _provided(manifest))
    for name in twice:
        spot.at("env").at(name).refuse(
            "a service sets this variable as well", "remove it here or from the service's env", "manifest.conflict"
        )


def _provided(manifest: Manifest) -> set[str]:
    names: set[str] = set()
    for service in (manifest.services.postgres, manifest.services.redis):
        names |= set(service.env) if service is not None else set()
    return names


def _environments(manifest: Manifest, spot: Spot) -> None:
    """Every environment leads to the base; names meant elsewhere are there."""
    for name, keys in manifest.environments.items():
        here = spot.at("environments").at(name)
        seen, at = [name], keys.inherits
        while at and at not in seen and at in manifest.environments:
            seen.append(at)
            at = manifest.environments[at].inherits
        if at in seen:
            here.at("inherits").refuse(
                f"it inherits from itself: {' → '.join([*seen, at])}",
                "let one of them inherit none",
                "manifest.conflict",
            )
        elif at and at not in (PRODUCTION, BASE):
            known = ", ".join(sorted({PRODUCTION, *manifest.environments} - {name}))
            here.at("inherits").refuse(
                f"there is no environment {at[:60]}; there are {known}",
                f"name one of them, or write [environments.{at[:60]}]",
                "manifest.conflict",
            )
        for each in keys.env:
            _require_run_time(manifest, each, here.at("env").at(each))
    for name, process in manifest.processes.items():
        for each in process.env:
            _require_run_time(manifest, each, spot.at("processes").at(name).at("env").at(each))
    for name, variable in manifest.env.items():
        here = spot.at("env").at(name)
        for process_name in variable.processes:
            if manifest.processes and process_name not in manifest.processes:
                here.at("processes").refuse(
                    f"there is no process {process_name}", f"name one of {', '.join(manifest.processes)}"
                )
        service = variable.source.partition(":")[0]
        if service in ("postgres", "redis") and getattr(manifest.services, service) is None:
            here.at("from").refuse(f"the app has no {service}", f"add [services] {service} = true", "manifest.conflict")
        if service == "public":
            key = manifest.env.get(variable.source.partition(":")[2])
            if key is None or key.generate not in ("rsa", "ed25519"):
                here.at("from").refuse(
                    "it names no generated key pair", 'name a variable with generate = "rsa" or "ed25519"'
                )
        if variable.previous and variable.previous in manifest.env and manifest.env[variable.previous].value:
            here.at("previous").refuse(
                f"{variable.previous} has a value of its own",
                "remove that value: rotation fills it",
                "manifest.conflict",
            )


def _require_run_time(manifest: Manifest, name: str, spot: Spot) -> None:
    variable = manifest.env.get(name)
    if variable is not None and variable.is_secret:
        spot.refuse(
            "it is a secret, and this file is in the repository",
            "remove it here and keep it in the vault",
            "env.secret-in-manifest",
        )
