from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from tests.drivers.router.proxied import Proxy, Upstream, proxy, route

HOSTS = ("shop.localhost", "shop.test")


async def _over_tls(to: Proxy) -> tuple[bytes, bytes]:
    authority = to.home.proxy / "certificates/pki/authorities/local/root.crt"
    context = ssl.create_default_context(cafile=str(authority))
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", to.home.https_port, ssl=context, server_hostname="shop.test"
    )
    writer.write(b"GET /seen HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head, body


def test_an_internal_certificate_serves_the_public_hosts(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        plain = route("plain", a=(app_a.port,))
        async with proxy(tmp_path, plain) as to:
            pid = to.router.pid
            shop = route(a=(app_a.port,), hosts=HOSTS, tls="internal")
            assert await to.router.configure([plain, shop])
            assert to.router.pid == pid, "HTTPS begins without a restart"
            redirect = await to.get("/x?y=1", host="shop.test")
            assert redirect.headers["location"] == f"https://shop.test:{to.home.https_port}/x?y=1"
            assert (await to.get()).body == b"A", "APP.localhost stays on plain HTTP"
            head, body = await _over_tls(to)
            assert head.startswith(b"HTTP/1.1 200")
            assert b'"x-forwarded-proto":"https"' in body
            for number in range(2):
                assert await to.router.configure([plain, shop, route(f"more{number}", a=(app_a.port,))])
                assert (await _over_tls(to))[0].startswith(b"HTTP/1.1 200")

    asyncio.run(scenario())
