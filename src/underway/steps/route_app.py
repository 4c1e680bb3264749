from __future__ import annotations

import msgspec

from underway.journal.events.releases import Routed
from underway.ports.drivers import Drivers
from underway.steps.step import Act, Did
from underway.terms.release import Slot
from underway.terms.route import AppRoute


class RouteApp(msgspec.Struct, frozen=True, kw_only=True, tag="route_app", tag_field="step"):
    """Tell the proxy the app's hosts and ports. Only needed when they change."""

    route: AppRoute
    slot: Slot
    """Where requests go when the app was not routed before."""
    former: AppRoute | None = None

    id: str = "route"
    is_one_way: bool = False

    def says(self) -> str:
        return f"{'change' if self.former else 'open'} the route of {', '.join(self.route.hosts)}"

    def undo_says(self) -> str:
        return "put the former route back" if self.former else "take the route out"

    async def apply(self, act: Act, on: Drivers) -> Did:
        await on.router.start()
        if self.former is None:
            on.router.set_share(act.app, 1.0 if self.slot is Slot.B else 0.0)
        await on.routes.put(self.route)
        return Did((Routed(app=act.app, act=act.id, route=self.route),))

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        if self.former:
            await on.routes.put(self.former)
        else:
            await on.routes.remove(act.app)
        return Did((Routed(app=act.app, act=act.id, route=self.former),))


class UnrouteApp(msgspec.Struct, frozen=True, kw_only=True, tag="unroute_app", tag_field="step"):
    """Take the app's hosts out of the proxy."""

    former: AppRoute

    id: str = "unroute"
    is_one_way: bool = False

    def says(self) -> str:
        return f"close the route of {', '.join(self.former.hosts)}"

    def undo_says(self) -> str:
        return "open it again"

    async def apply(self, act: Act, on: Drivers) -> Did:
        await on.routes.remove(act.app)
        return Did((Routed(app=act.app, act=act.id, route=None),))

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        await on.routes.put(self.former)
        return Did((Routed(app=act.app, act=act.id, route=self.former),))
