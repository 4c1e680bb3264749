"""A reading of a database as a person looks at it."""

from __future__ import annotations

from underway.cli.render.terminal import Terminal, clean
from underway.cli.render.words import megabytes, seconds
from underway.terms.database_health import LATE_S, DatabaseHealth, Follower

_GOOD_HITS = 0.95


def show_database(it: DatabaseHealth, terminal: Terminal) -> None:
    t = terminal
    t.line(f"  size         {megabytes(it.size_bytes)}")
    t.line(
        f"  connections  {it.connections} of {it.app_connections} this app may have;"
        f" the server has {it.server_connections} of {it.max_connections}"
    )
    if it.cache_hit is not None:
        colour = "green" if it.cache_hit >= _GOOD_HITS else "amber"
        t.line(
            f"  memory hits  {t.paint(f'{it.cache_hit:.1%}', colour)}"
            + f"  {it.deadlocks} deadlocks" * bool(it.deadlocks)
        )
    if it.head:
        t.line(f"  migrations   {clean(it.head)}")
    for one in it.followers:
        late = "nothing is behind" if not (one.behind_bytes or one.behind_s) else _late(one)
        colour = "amber" if (one.behind_s or 0) > LATE_S else "dim"
        t.line(f"  follower     {clean(one.name)}: {one.state}, {t.paint(late, colour)}")
    for table in it.largest:
        t.line(f"  table        {clean(table.table)}  {table.rows:,} rows, {megabytes(table.total_bytes)}")
    for table in it.bloated:
        dead = f"{table.dead_rows:,} dead rows beside {table.rows:,}"
        t.line(f"  {t.mark('warning')} {clean(table.table)}: {dead}; VACUUM it")
    for open_ in it.transactions:
        waits = f", waits for {clean(open_.waits_for)}" if open_.waits_for else ""
        blocks = f", {open_.blocks} wait for it" if open_.blocks else ""
        t.line(f"  {t.mark('warning')} pid {open_.pid} {open_.state} for {seconds(open_.age_s)}{waits}{blocks}")
        t.line(t.paint(f"    {clean(open_.statement)}", "dim"))
    for query in it.slow:
        t.line(f"  query        {query.calls:,} × {query.mean_ms:,.1f} ms = {seconds(query.total_s)}")
        t.line(t.paint(f"    {clean(query.statement)}", "dim"))
    if not it.has_statements:
        t.line(t.paint("  slow queries are not known: the server has no pg_stat_statements", "dim"))


def _late(one: Follower) -> str:
    parts = [megabytes(one.behind_bytes)] if one.behind_bytes else []
    parts += [seconds(one.behind_s)] if one.behind_s else []
    return f"{', '.join(parts)} behind"
