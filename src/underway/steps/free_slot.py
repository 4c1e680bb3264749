from __future__ import annotations

import msgspec

from underway.journal.events.releases import SlotFreed
from underway.ports.drivers import Drivers
from underway.steps.start_release import drain, stop_release
from underway.steps.step import Act, Did
from underway.terms.release import Slot


class FreeSlot(msgspec.Struct, frozen=True, kw_only=True, tag="free_slot", tag_field="step"):
    """Let the release on a slot that gets no new requests finish what it has, then stop it.

    Requests, streams and WebSockets get up to `drain_s` to end; those that do not are told by the app itself when
    it is asked to stop (a WebSocket with close code 1012).
    """

    release: str
    slot: Slot
    drain_s: float

    id: str = "free_slot"
    is_one_way: bool = True

    def says(self) -> str:
        return f"drain and stop {self.release}, kept warm on slot {self.slot.value}"

    def undo_says(self) -> str:
        return f"cannot be undone: a rollback to {self.release} will start it again"

    async def apply(self, act: Act, on: Drivers) -> Did:
        left = await drain(act.app, self.slot, self.drain_s, on)
        stopped = await stop_release(act.app, self.release, on)
        on.router.set_target(act.app, self.slot, None)
        result = f"{stopped} stopped" + (f", {left} open requests ended with it" if left else "")
        return Did((SlotFreed(app=act.app, act=act.id, release=self.release, slot=self.slot),), result)

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()
