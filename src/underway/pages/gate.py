"""What every request passes: the host it names, who asks, whether the form is ours; and the headers of every answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from underway.access.rights import Right
from underway.access.sessions import Session, is_key_of
from underway.flows.access import Access

COOKIE, SECURE_COOKIE = "underway_session", "__Host-underway_session"
"""The second over HTTPS: browsers take it from this very host alone."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""A picture carries its own colours, and no script of any kind runs in it."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class Denied(Exception):
    """Not for this one. `status` 401 leads to the log-in."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


class Origin(NamedTuple):
    """Where the browser thinks it is: on loopback, or at the host that the dashboard is exposed under."""

    address: str
    is_exposed: bool


def origin_of(request: Request, access: Access, address_of: Callable[[str], str]) -> Origin:
    """Raises `Denied` (421) for any other host: a name that somebody points at loopback must not reach us."""
    named = request.headers.get("host", "")
    server = request.scope.get("server") or ("", 0)
    if named in (f"127.0.0.1:{server[1]}", f"localhost:{server[1]}"):
        return Origin(f"http://{named}", False)
    host = access.book.host
    if host and named.partition(":")[0].lower() == host and f"https://{named.lower()}" == address_of(host):
        return Origin(address_of(host), True)
    raise Denied(421, "the dashboard does not answer under this name")


def secret_of(request: Request, origin: Origin) -> str:
    return request.cookies.get(SECURE_COOKIE if origin.is_exposed else COOKIE, "")


def session_of(request: Request, access: Access, origin: Origin) -> Session | None:
    """Who asks. A session that was begun on loopback by a code is good on loopback alone."""
    session = access.sessions.find(secret_of(request, origin), access.now())
    return None if session is None or (session.is_local and origin.is_exposed) else session


def require(session: Session | None, right: Right) -> Session:
    """Raises `Denied` (401 for nobody, 403 for who may not)."""
    if session is None:
        raise Denied(401, "nobody is logged in")
    if not session.may(right):
        raise Denied(403, f"{session.name} may look, but not do this")
    return session


def require_same_origin(request: Request, origin: Origin) -> None:
    """Raises `Denied` (403) for a form of another site. Every browser of today says where a form is from."""
    came = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if came != origin.address or site != "same-origin":
        raise Denied(403, "this form did not come from the dashboard")


def require_form_key(session: Session, key: str) -> None:
    """Raises `Denied` (403)."""
    if not is_key_of(session, key):
        raise Denied(403, "this form is not of this session; load the page again")


def address_of_client(request: Request, origin: Origin) -> str:
    """Who is counted for wrong log-ins. The proxy says it of who comes through it, and leaves out what they say."""
    if origin.is_exposed:
        return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()[:60] or "unknown"
    return "loopback"


def guarded(response: Response, origin: Origin | None) -> Response:
    """The answer with the headers that keep it to itself."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if origin is not None and origin.is_exposed:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def set_session(response: Response, secret: str, origin: Origin) -> None:
    response.set_cookie(
        SECURE_COOKIE if origin.is_exposed else COOKIE,
        secret,
        path="/",
        secure=origin.is_exposed,
        httponly=True,
        samesite="strict",
    )


def drop_session(response: Response, origin: Origin) -> None:
    name = SECURE_COOKIE if origin.is_exposed else COOKIE
    response.delete_cookie(name, path="/", secure=origin.is_exposed, httponly=True, samesite="strict")
