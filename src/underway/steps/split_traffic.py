from __future__ import annotations

import msgspec

from underway.journal.events.acts import ShareMoved
from underway.ports.drivers import Drivers
from underway.steps.step import Act, Did
from underway.terms.release import Slot


def share_of_b(slot: Slot, share: float) -> float:
    """The router's figure for giving the release on `slot` this share of visitors."""
    return share if slot is Slot.B else 1.0 - share


class SplitTraffic(msgspec.Struct, frozen=True, kw_only=True, tag="split_traffic", tag_field="step"):
    """Open the way for giving the release a growing share of visitors. The guard says when and how much; a visitor
    who got it once keeps it."""

    release: str
    slot: Slot
    was: str
    was_slot: Slot
    steps: tuple[int, ...]

    id: str = "split"
    is_one_way: bool = False

    def says(self) -> str:
        shares = ", ".join(f"{step} %" for step in self.steps if step)
        dark = "show it to those who ask for it, then " if 0 in self.steps else ""
        if not shares:
            return f"show {self.release} to those who ask for it, until it may go on"
        return f"{dark}give {self.release} {shares} of the visitors, each as its requests prove it"

    def undo_says(self) -> str:
        return f"all visitors back to {self.was} at once"

    async def apply(self, act: Act, on: Drivers) -> Did:
        on.router.set_candidate(act.app, self.slot)
        return Did()

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        on.router.set_share(act.app, share_of_b(self.slot, 0.0))
        on.router.set_candidate(act.app, None)
        back = ShareMoved(app=act.app, act=act.id, release=self.release, share=0.0, because="it is taken back")
        return Did((back,))
