"""When the certificate that a server shows ends, whoever made it."""

from __future__ import annotations

import asyncio
import ssl


async def ends_at(address: str, port: int, name: str, timeout_s: float) -> float:
    """Seconds since 1970; 0 when none is shown. Whether it can be trusted is not asked here. Raises `OSError`,
    `TimeoutError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with asyncio.timeout(timeout_s):
        _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    if not shown:
        return 0.0
    from cryptography import x509  # imported here: only an app with HTTPS needs it

    return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()
