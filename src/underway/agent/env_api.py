"""The API's part for environments."""

from __future__ import annotations

from collections.abc import Mapping

from underway.agent.agent import Agent
from underway.agent.env_views import (
    EnvChangeAsk,
    EnvChanged,
    EnvHandAsk,
    EnvHanded,
    EnvLookAsk,
    EnvView,
    FindingView,
    NamedView,
    Recipient,
    VariableView,
)
from underway.detect.env_schema import Named
from underway.environment.layers import UNKNOWN, chain
from underway.flows.environment import EnvAt, Seen, see
from underway.flows.environment_change import Change, change_environment, hand_over
from underway.terms.environment import Entry, fingerprint


async def look(agent: Agent, ask: EnvLookAsk) -> EnvView:
    seen = await see(EnvAt(ask.path, ask.app, ask.environment), agent.on, agent.journal)
    key = agent.on.vault.key()
    state = agent.journal.state(seen.manifest.app)
    undeclared = {finding.name for finding in seen.findings if finding.problem.code == "env.undeclared"}
    return EnvView(
        app=seen.manifest.app,
        environment=seen.environment,
        vault=seen.vault,
        layers=chain(seen.schema, seen.environment),
        variables=tuple(_variable(seen, entry, key, state.given) for entry in seen.entries.values()),
        findings=tuple(FindingView(name=f.name, stops=f.stops, problem=f.problem) for f in seen.findings),
        undeclared=tuple(_named(each) for name, each in seen.named.items() if name in undeclared),
        live=state.live or "",
    )


async def change(agent: Agent, ask: EnvChangeAsk) -> EnvChanged:
    wanted = Change(ask.how, ask.by, ask.put, ask.names, ask.expires_at, ask.is_forced)
    done = await change_environment(EnvAt(ask.path, ask.app, ask.environment), wanted, agent.on, agent.journal)
    return EnvChanged(
        app=done.seen.manifest.app,
        environment=done.layer,
        where=done.where,
        put=done.put,
        removed=done.removed,
        is_staged=bool(agent.journal.state(done.seen.manifest.app).live),
        hint=done.hint,
    )


async def hand(agent: Agent, ask: EnvHandAsk) -> EnvHanded:
    at = EnvAt(ask.path, ask.app, ask.environment)
    file, values, seen = await hand_over(at, ask.process, ask.names, ask.by, ask.why, agent.on, agent.journal)
    return EnvHanded(
        file=file, app=seen.manifest.app, environment=seen.environment, hidden=tuple(sorted(values.hidden))
    )


def recipient(agent: Agent) -> Recipient:
    return Recipient(recipient=agent.on.vault.recipient())


def _named(each: Named) -> NamedView:
    return NamedView(
        name=each.name,
        where=each.where,
        is_read=bool(each.reads),
        type=each.variable.type,
        is_required=each.variable.required,
        is_secret=each.variable.is_secret,
        default=each.variable.default,
    )


def _variable(seen: Seen, entry: Entry, key: bytes, running: Mapping[str, str]) -> VariableView:
    variable = seen.schema.env.get(entry.name, UNKNOWN)
    value = entry.value.reveal() if entry.value and not entry.is_secret else ""
    return VariableView(
        name=entry.name,
        is_set=entry.origin is not None,
        is_secret=entry.is_secret,
        value=value,
        from_=entry.origin.says() if entry.origin else "",
        over=tuple(origin.says() for origin in entry.over),
        type=variable.type,
        is_required=variable.is_required_in(seen.environment),
        is_declared=entry.name in seen.schema.env,
        doc=variable.doc,
        set_at=entry.kept.set_at if entry.kept else 0.0,
        set_by=entry.kept.set_by if entry.kept else "",
        expires_at=entry.kept.expires_at if entry.kept else 0.0,
        is_rotating=bool(entry.kept and entry.kept.former),
        fingerprint=fingerprint(key, entry.value) if entry.value else "",
        running=running.get(entry.name, ""),
        read_at=seen.named[entry.name].where if entry.name in seen.named else "",
    )
