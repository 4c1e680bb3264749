"""Whether the split of visitors is what was asked for, on the real proxy: `python -m bench.split`.

    python -m bench.split [--quick] [--write docs/benchmarks.md]

100,000 new visitors come while a release has 5 %, and come again with their cookies at 25 %, at 50 % and after a
rollback. Counted is who answered each of them, and who ever went back. Exits 1 when a share is off by more than half a
per cent of all visitors, when anybody went back before the rollback, or when anybody stayed after it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.drivers.router.proxied import HOST, Proxy, proxy, route, upstreams

from bench.report import machine, options, put, table
from underway.load.strict import Connection, request_bytes

VISITORS, QUICK_VISITORS = 100_000, 5_000
CONNECTIONS = 12
SHARES = (0.05, 0.25, 0.5, 0.0)
OFF_AT_MOST = 0.005


async def ask_all(to: Proxy, cookies: list[str]) -> list[bool]:
    """Each visitor asks once, with the cookie there is and keeping the one that comes; True where B answered."""
    on_b = [False] * len(cookies)
    left = iter(range(len(cookies)))

    async def some() -> None:
        connection = Connection("127.0.0.1", to.home.http_port)
        for visitor in left:
            headers = {"Cookie": cookies[visitor]} if cookies[visitor] else {}
            answer = await connection.ask(request_bytes(HOST, headers=headers))
            on_b[visitor] = answer.body == b"B"
            cookies[visitor] = answer.headers.get("set-cookie", "").partition(";")[0] or cookies[visitor]
        connection.close()

    await asyncio.gather(*(some() for _ in range(CONNECTIONS)))
    return on_b


async def measure(visitors: int) -> tuple[list[tuple[str, ...]], bool]:
    rows, is_good = [], True
    cookies, before = [""] * visitors, [False] * visitors
    with upstreams("A", "B") as (one, two), tempfile.TemporaryDirectory() as folder:
        async with proxy(Path(folder), route(a=(one.port,), b=(two.port,))) as to:
            for share in SHARES:
                to.router.set_share("shop", share)
                now = await ask_all(to, cookies)
                seen = sum(now) / visitors
                back = sum(was and not is_ for was, is_ in zip(before, now, strict=True))
                stayed = sum(now) if share == 0 else 0
                is_good = is_good and abs(seen - share) <= OFF_AT_MOST and stayed == 0 and (share == 0 or back == 0)
                name = f"{share:.0%}" if share else "0 %, the rollback"
                rows.append((name, f"{sum(now):,}", f"{seen:.3%}", f"{seen - share:+.3%}", f"{back:,}"))
                print(rows[-1], flush=True)
                before = now
    return rows, is_good


def main() -> int:
    asked, on = options(__doc__), machine()
    visitors = QUICK_VISITORS if asked.quick else VISITORS
    rows, is_good = asyncio.run(measure(visitors))
    text = (
        table(("share that was set", "visitors on the new release", "share that it got", "off by", "went back"), rows)
        + f"\n\n{visitors:,} visitors with a cookie each, who come again at every share. The goal is"
        f" ±{OFF_AT_MOST:.1%}, nobody going back while the share grows, and everybody at the rollback."
    )
    print(text)
    put(asked.write, "split", "The split of visitors", "python -m bench.split", on, text)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
