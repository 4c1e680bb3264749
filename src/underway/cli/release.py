from __future__ import annotations

import getpass

import click

from underway.agent.views import AppView, OrderAsk
from underway.cli.client import connect
from underway.cli.render.terminal import Terminal
from underway.journal.events.acts import Order

_SAYS = {
    Order.HOLD: "Keep the share as it is, or go on watching. A bad release is still taken back.",
    Order.ADVANCE: "Go to the next step now: after a hold, as the approval that is waited for, or before its time.",
    Order.PROMOTE: "Give it all traffic now; or, when it has that and is watched, end the watch.",
    Order.ABORT: "Take it back now.",
}


@click.group()
def release() -> None:
    """Orders to a release that is getting its traffic step by step, or is watched after that."""


def _command(order: Order) -> click.Command:
    @click.command(order.value, help=_SAYS[order])
    @click.argument("app")
    @click.option("--as", "name", default="", metavar="NAME", help="Who gives the order; by default your account.")
    @click.option("--because", default="", help="Why; it is kept with the release.")
    def give(app: str, name: str, because: str) -> None:
        account = getpass.getuser()
        ask = OrderAsk(order=order, by=name or account, account=account, because=because)
        connect().post(f"/v1/apps/{app}/orders", AppView, ask)
        Terminal().line(f"{app}: {order.value} was ordered by {ask.by}.")

    return give


for _order in Order:
    release.add_command(_command(_order))
