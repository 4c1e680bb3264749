"""What every request passes: security headers, a body limit, and the check that a write comes from our own page."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import Problem

LARGEST_BODY_BYTES = 16 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def is_own_origin(headers: Headers, allowed: frozenset[str]) -> bool:
    """Whether a request was sent by our own page (or an allowed one). Programs send no Origin: they hold no cookies."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return origin in allowed or (urlsplit(origin).netloc != "" and urlsplit(origin).netloc == headers.get("host"))


def is_too_large(headers: Headers) -> bool:
    length = headers.get("content-length", "0")
    return not length.isdigit() or int(length) > LARGEST_BODY_BYTES


def limited(receive: Receive) -> Receive:
    """Stops a body that was announced without a length and turns out too large."""
    seen = 0

    async def limited_receive() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > LARGEST_BODY_BYTES:
            raise HTTPException(413, "That is more than we can take.")  # the one kind FastAPI lets through here
        return message

    return limited_receive


class Guards:
    def __init__(self, app: ASGIApp, allowed_origins: frozenset[str]) -> None:
        self.app, self.allowed_origins = app, allowed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            if not is_own_origin(headers, self.allowed_origins):
                await receive()
                return await send({"type": "websocket.close", "code": 1008})
            return await self.app(scope, receive, send)

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    sent.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    sent.setdefault("cache-control", "no-store")
            await send(message)

        if scope["method"] not in SAFE_METHODS:
            if not is_own_origin(headers, self.allowed_origins):
                refused = Problem(403, "foreign-origin", "This request did not come from our own page.")
                return await refused.answer()(scope, receive, guarded_send)
            if is_too_large(headers):
                refused = Problem(413, "too-large", "That is more than we can take.")
                return await refused.answer()(scope, receive, guarded_send)
        return await self.app(scope, limited(receive), guarded_send)
