"""What came of a smoke request or a journey."""

from __future__ import annotations

import msgspec


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer, told so that a person sees what was wrong. No secret is in it.

    `came` is what was wrong ("status 500, not 200-299"; "no answer: connection refused"), empty when it passed.
    `path` is as it was written, placeholders unfilled. `body_head` are the first printable characters of the body.
    `status` 0 means no answer.
    """

    name: str
    method: str
    path: str
    status: int
    took_ms: float
    expected: str
    came: str = ""
    body_head: str = ""

    @property
    def passed(self) -> bool:
        return not self.came

    def says(self) -> str:
        """One line: `the front page: status 500, not 200-299 (GET /, 12 ms)`."""
        what = f"{self.method} {self.path}"
        place = f" ({what}, " if self.name != what else " ("
        return f"{self.name}: {self.came or f'as expected: {self.expected}'}{place}{self.took_ms:.0f} ms)"


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """A journey, or a smoke request on its own: what was asked, up to the first request that failed."""

    name: str
    asked: tuple[Asked, ...]

    @property
    def passed(self) -> bool:
        return all(each.passed for each in self.asked)

    @property
    def failure(self) -> Asked | None:
        """The request that failed, None when all passed."""
        return next((each for each in self.asked if not each.passed), None)

    @property
    def took_ms(self) -> float:
        return sum(each.took_ms for each in self.asked)

    def says(self) -> str:
        """One line with the evidence."""
        failed = self.failure
        if failed is None:
            count = len(self.asked)
            return f"{self.name}: passed{f', {count} requests' if count > 1 else ''} in {self.took_ms:.0f} ms"
        if len(self.asked) == 1 and failed.name == self.name:
            return failed.says()
        return f"{self.name}: step {len(self.asked)}, {failed.says()}"
