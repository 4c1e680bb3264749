"""What `${NAME}` of monitors, channels and heartbeats stands for: the values of the live release's environment."""

from __future__ import annotations

from collections.abc import Mapping

from underway.flows.keeping_rules import keeping_rules
from underway.journal.app_state import AppState
from underway.plan.parts import env_of
from underway.ports.drivers import Drivers
from underway.steps.environment import probe_values
from underway.terms.problem import Refusal
from underway.terms.secret import Secret


def keeping_values(state: AppState, on: Drivers) -> Mapping[str, Secret]:
    """The app's variables as its live release has them, and all else that its vault keeps in the layers of its
    environment; Underway's own alone where one that is required has no value. Raises `Failure`
    (`vault.unreadable`)."""
    rules = keeping_rules(state)
    if rules is None:
        return {}
    try:
        found = probe_values(env_of(rules.manifest, state.live), state.app, on)
    except Refusal:
        return on.vault.values(state.app)
    return {name: value if isinstance(value, Secret) else Secret(value) for name, value in found.items()}
