"""The demo's picture: what happens scrolls by, and below it the traffic as it is now."""

from __future__ import annotations

import time
from typing import Any, Protocol

from underway.agent.views import AppView, PlanView
from underway.cli.render.act import ActRenderer
from underway.cli.render.terminal import Terminal
from underway.cli.render.words import seconds
from underway.load.strict import Tally

_BARS = " ▁▂▃▄▅▆▇█"
_EVERY_S = 0.25
_KEPT = 28


class Counted(Protocol):
    """The traffic, as far as it is drawn."""

    @property
    def tally(self) -> Tally: ...
    @property
    def on_trial(self) -> int:
        """Requests that a release on trial failed before it was taken back."""
        ...


class Picture:
    """Draws the play. The moving line shows requests per second of the last seconds, served, failed and p95."""

    def __init__(self, terminal: Terminal, url: str) -> None:
        self.traffic: Counted | None = None
        self._nobody = Tally()
        self._terminal = terminal
        self._url = url
        self._act: ActRenderer | None = None
        self._began = time.monotonic()
        self._seen = (time.monotonic(), 0)
        self._rates: list[float] = []
        self._counted_from = (0, 0)

    @property
    def tally(self) -> Tally:
        return self.traffic.tally if self.traffic else self._nobody

    @property
    def on_trial(self) -> int:
        return self.traffic.on_trial if self.traffic else 0

    def __enter__(self) -> Picture:
        t = self._terminal
        t.line(t.paint("Underway demo: a launch on this machine, with the real parts", "bold"))
        t.line("An app with PostgreSQL and a proxy; strict clients ask it all the time and never retry.")
        return self

    def __exit__(self, *_: object) -> None:
        self._terminal.clear()

    def scene(self, number: int, count: int, title: str) -> None:
        t = self._terminal
        t.line()
        t.line(t.paint(f"{number}/{count}  {title}", "bold", "blue"))
        self._counted_from = self.tally.served, self.on_trial

    def plan(self, plan: PlanView) -> None:
        self._act = ActRenderer(plan, self._terminal, is_brief=True)

    def show(self, event: dict[str, Any] | None) -> None:
        """One event, or None for a moment that passed."""
        if self._act and event:
            self._act.show(event)
            if event["event"] == "finished":
                self._ended()
        self._draw()

    def _ended(self) -> None:
        t = self._terminal
        served, on_trial = self.tally.served - self._counted_from[0], self.on_trial - self._counted_from[1]
        if served or self.tally.failures:
            colour = "red" if self.tally.failures else "green"
            failed = t.paint(f"{self.tally.failures} failed", colour, "bold")
            noticed = f"; {on_trial} by the release on trial, before it was taken back" if on_trial else ""
            t.line(f"  meanwhile the clients got {served:,} answers, {failed}{noticed}")

    def _draw(self) -> None:
        now = time.monotonic()
        then, served = self._seen
        if now - then >= _EVERY_S:
            self._rates = [*self._rates[-_KEPT:], (self.tally.served - served) / (now - then)]
            self._seen = (now, self.tally.served)
        if not self.tally.served or not self._terminal.has_unicode:
            if self._act:
                self._act.tick()
            return
        t = self._terminal
        top = max(*self._rates, 1.0)
        bars = "".join(_BARS[min(8, round(8 * rate / top))] for rate in self._rates)
        failed = t.paint(f"{self.tally.failures} failed", "red" if self.tally.failures else "green")
        recent = sorted(self.tally.took_ms[-400:])
        p95_ms = recent[int(len(recent) * 0.95)] if recent else 0.0
        rate = self._rates[-1] if self._rates else 0.0
        step = " ".join(self._act.now.split()) if self._act else ""
        said = f" {rate:>4.0f}/s  {self.tally.served:,} served, "
        p95 = f", p95 {p95_ms:.0f} ms"
        room = t.width - len(bars) - len(said) - len(f"{self.tally.failures} failed") - len(p95) - 3
        text = f"{t.paint(bars, 'blue')}{said}{failed}{p95}"
        t.draw(f"{text}  {t.paint(step[:room], 'dim')}" if room > 12 else text)

    def end(self, app: AppView, surprises: list[str]) -> None:
        """The counts at the end."""
        t, tally = self._terminal, self.tally
        t.line()
        t.line(t.paint(f"{'release':<12}{'served':>9}{'failed':>8}{'p50':>9}{'p95':>9}", "dim"))
        for release, traffic in sorted(app.traffic.items()):
            mark = t.paint("  live", "green") if release == app.live else ""
            t.line(
                f"{release or '(none)':<12}{traffic.served:>9,}{traffic.failed:>8}"
                f"{traffic.p50_ms:>6.1f} ms{traffic.p95_ms:>6.1f} ms{mark}"
            )
        verdict = t.paint(f"{tally.failures} failed", "red" if tally.failures else "green", "bold")
        t.line(
            f"The clients: {tally.served:,} served, {verdict}, p95 {tally.quantile_ms(0.95):.1f} ms,"
            f" in {seconds(time.monotonic() - self._began)}"
        )
        if self.on_trial:
            t.line(f"The release that failed visitors: {self.on_trial} failed, then it was gone")
        for kind, count in tally.failed.most_common():
            t.line(f"  {t.mark('failed')} {count} × {kind}")
        for surprise in surprises:
            t.line(f"{t.mark('failed')} {surprise}")
        t.line()
        t.line(f"The app is up: {t.paint(self._url, 'bold')}")
        t.line(f"Look at it with: underway status {app.app}, underway releases {app.app}, underway events {app.app}")
