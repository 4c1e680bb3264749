"""The strict client of `underway.load.strict` on the command line.

python -m bench.strict_load --port 8080 --host shop.localhost --seconds 10 [--clients 50] [--one-per-connection]
"""

from __future__ import annotations

import argparse
import asyncio
import json

from underway.load.strict import Answer, Broken, Connection, StrictLoad, Tally, ask, request_bytes

__all__ = ["Answer", "Broken", "Connection", "StrictLoad", "Tally", "ask", "request_bytes"]


async def _main(arguments: argparse.Namespace) -> None:
    async with StrictLoad(
        arguments.port,
        arguments.host,
        address=arguments.address,
        path=arguments.path,
        clients=arguments.clients,
        keep_alive=not arguments.one_per_connection,
        pause_s=arguments.pause_s,
    ) as load:
        await asyncio.sleep(arguments.seconds)
    tally = load.tally
    said = {
        "served": tally.served,
        "failed": dict(tally.failed),
        "bodies": {body.decode(errors="replace"): count for body, count in tally.bodies.items()},
        "p50_ms": round(tally.quantile_ms(0.5), 2),
        "p95_ms": round(tally.quantile_ms(0.95), 2),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", required=True, help="the Host header")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--path", default="/")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--pause-s", type=float, default=0.0)
    parser.add_argument("--one-per-connection", action="store_true")
    asyncio.run(_main(parser.parse_args()))
