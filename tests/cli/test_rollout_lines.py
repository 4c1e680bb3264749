"""What a person reads of a rollout as it goes, in a log and between events."""

from __future__ import annotations

import msgspec

from underway.agent.views import RolloutLine, SideView
from underway.cli.render.rollout import Watching, rollout_line
from underway.terms.verdict import Strength


def side(release: str, requests: int, p95_ms: float) -> SideView:
    return SideView(
        release=release, requests=requests, failed=0, p50_ms=p95_ms / 2, p95_ms=p95_ms, memory_bytes=45_000_000
    )


def seen(requests: int = 0, p95_ms: float = 0.0, **keys: object) -> RolloutLine:
    return RolloutLine(
        app="shop",
        act="a1",
        share=0.05,
        steps=(0.05, 0.5),
        candidate=side("new", requests, p95_ms),
        stable=side("old", 900, 80.0),
        action="wait",
        because="",
        waiting_for="16 more requests of new",
        strengths=(Strength(of="more errors", value=0.5, needed=333.0),),
        **keys,
    )


def test_a_time_that_nobody_measured_is_not_called_fast() -> None:
    assert "new 0 requests, 0 failed, p50 –, p95 –, 45 MB" in rollout_line(seen())
    assert "new 40 requests, 0 failed, p50 30 ms, p95 60 ms, 45 MB" in rollout_line(seen(40, 60.0))


def test_a_line_says_the_split_the_evidence_and_what_is_waited_for() -> None:
    line = rollout_line(seen(40, 60.0))
    assert line.startswith("5 %: new 40 requests")
    assert "evidence against it under 1 %" in line
    assert line.endswith("waiting for 16 more requests of new")


def test_between_events_only_news_is_told_and_every_event_is() -> None:
    watching = Watching()

    def is_told(line: RolloutLine, now: float) -> bool:
        return watching.is_worth_a_line(msgspec.to_builtins(line), now)

    assert is_told(seen(), 0.0)
    assert not is_told(seen(5), 1.0), "a few requests more are no news"
    assert watching.is_worth_a_line({"event": "share_moved"}, 1.5)
    assert not is_told(seen(5, is_held=True), 2.0), "news, but the last line is two seconds old"
    assert is_told(seen(5, is_held=True), 3.0)
    assert not is_told(seen(9, is_held=True), 15.0)
    assert is_told(seen(9, is_held=True), 18.0)
