from __future__ import annotations

import getpass

import click

from underway.agent.views import AppView, OrderAsk
from underway.cli.client import connect
from underway.cli.render.terminal import Terminal
from underway.journal.events import Order

_SAYS = {
    Order.HOLD: "Keep the share as it is. A bad release is still taken back.",
    Order.ADVANCE: "Go to the next step now, or on after a hold.",
    Order.PROMOTE: "Give it all traffic now.",
    Order.ABORT: "Take it back now.",
}


@click.group()
def release() -> None:
    """Orders to a release that is getting its traffic step by step."""


def _command(order: Order) -> click.Command:
    @click.command(order.value, help=_SAYS[order])
    @click.argument("app")
    @click.option("--because", default="", help="Why; it is kept with the release.")
    def give(app: str, because: str) -> None:
        ask = OrderAsk(order=order, by=getpass.getuser(), because=because)
        connect().post(f"/v1/apps/{app}/orders", AppView, ask)
        Terminal().line(f"{app}: {order.value} was ordered by {ask.by}.")

    return give


for _order in Order:
    release.add_command(_command(_order))
