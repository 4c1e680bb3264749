"""Whether an app's processes fit into its database's connections."""

from __future__ import annotations

from underway.detect.pools import pool_of
from underway.journal.app_state import AppState
from underway.manifest.model import Manifest
from underway.ports.drivers import Drivers
from underway.terms.tree import Tree


async def pool_notes(manifest: Manifest, tree: Tree, state: AppState, on: Drivers) -> tuple[str, ...]:
    """What to know before it happens: in a deploy both releases hold their pools at once.

    The first deploy has no server to ask yet, and a server of the user's own is not asked.
    """
    postgres = manifest.services.postgres
    if postgres is None or postgres.url or not state.releases:
        return ()
    variables = {name: variable.value for name, variable in manifest.env.items() if not variable.secret}
    pool = pool_of(tree, variables)
    processes = sum(process.instances for process in manifest.processes.values())
    web = manifest.processes.get("web")
    both = processes + (web.instances if web else 0)  # workers are swapped, the old web instances stay warm
    needed = both * pool.size
    most, left = await on.database_stats.connections(manifest.app)
    bound = min(most, left)
    if needed <= bound:
        return ()
    where = f"read in {pool.evidence}" if pool.evidence else "the usual number, for none is written down"
    fits = max(bound // both, 1)
    return (
        f"{needed} database connections may be wanted while both releases run: {both} processes with a pool of"
        f" {pool.size} each ({where}). The app may have {bound}"
        f" ({most} of its own limit, {left} left on the server). A pool of {fits} fits.",
    )
