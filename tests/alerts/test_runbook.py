"""Every alert says what to do: the manifest's own words first, else the runbook's."""

from __future__ import annotations

import re
from pathlib import Path

from underway.alerts.runbook import STEPS, step_for
from underway.manifest.limits import StepKeys

SOURCE = Path(__file__).parents[2] / "src/underway"


def test_every_alert_that_is_raised_has_a_step() -> None:
    files = [SOURCE / name for name in ("flows/wrong_words.py", "agent/rounds.py", "agent/alive.py")]
    codes = {code for file in files for code in re.findall(r'code="([a-z.-]+)"', file.read_text())}
    codes |= set(re.findall(r'"(process\.[a-z-]+|backup\.[a-z]+)"', (SOURCE / "flows/wrongs.py").read_text()))
    assert len(codes) > 12
    assert codes - set(STEPS) == set()
    assert all(step.endswith(".") and 40 < len(step) < 400 for step in STEPS.values())


def test_the_manifests_own_words_come_first_those_of_the_very_matter_before_all() -> None:
    steps = [StepKeys(of="*", do="any"), StepKeys(of="app.down", do="code"), StepKeys(of="monitor app", do="key")]
    assert step_for(steps, "app.down", "monitor app") == "key"
    assert step_for(steps, "app.down", "monitor other") == "code"
    assert step_for(steps, "disk.nearly-full", "disk") == "any"
    assert step_for([], "disk.nearly-full", "disk") == STEPS["disk.nearly-full"]
    assert step_for([], "of.others", "x") == ""
