"""`/health` and `/health/deep` for any ASGI app (FastAPI, Starlette, Quart, Django …), with the standard library alone.

    from underway_kit import checks
    from underway_kit.health import Health

    app.add_middleware(Health, version="1.4", checks=(*checks.from_environment(), checks.web("mail", MAIL_URL)))

or, around any ASGI application, `app = Health(app, …)`; or alone, to be mounted, `Health(checks=…)`.

`/health` says that the process is alive, its version and its release, and asks nothing. `/health/deep` asks every check
at once, each within its own time limit. Its answer is kept for `fresh_s`, and whoever asks meanwhile waits for the same
one: however many probes come, what the app needs is asked at most once in that time by each process. The answers are
`application/health+json` (draft-inadarei-api-health-check-06): 200 with `pass` or `warn`, 503 with `fail`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from underway_kit.checks import Check, Unwell, from_environment

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

FRESH_S = 5.0
MEDIA_TYPE = b"application/health+json"
_Told = tuple[int, dict[str, Any]]


class Health:
    """ASGI middleware, or without `app` an application of its own.

    `checks` are those of `from_environment()` unless given. `release` is what Underway started the process as
    (`UNDERWAY_RELEASE`), and `version` (`APP_VERSION`) the app's own word.
    """

    def __init__(
        self,
        app: App | None = None,
        *,
        checks: Sequence[Check] | None = None,
        version: str = "",
        release: str = "",
        path: str = "/health",
        fresh_s: float = FRESH_S,
    ) -> None:
        self._app = app
        self._checks = tuple(from_environment() if checks is None else checks)
        names = [check.name for check in self._checks]
        if len(set(names)) < len(names):
            raise ValueError("two checks have the same name")
        self._path = path.rstrip("/")
        self._fresh_s = fresh_s
        self._about = {
            "version": version or os.environ.get("APP_VERSION", ""),
            "releaseId": release or os.environ.get("UNDERWAY_RELEASE", ""),
        }
        self._told: _Told | None = None
        self._told_at = 0.0
        self._asking: asyncio.Task[_Told] | None = None
        self._hanging: dict[str, threading.Thread] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            root = scope.get("root_path", "")
            if root and path.startswith(f"{root}/"):  # mounted: newer servers leave the mount's path in front
                path = path[len(root) :]
            if path in (self._path, f"{self._path}/deep"):
                await self._answer(scope["method"], path != self._path, send)
                return
        if self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _respond(send, 404, {"status": "fail"})
        elif scope["type"] == "lifespan":
            await _live(receive, send)

    async def _answer(self, method: str, is_deep: bool, send: Send) -> None:
        if method not in ("GET", "HEAD"):
            await _respond(send, 405, {"status": "fail"}, (b"allow", b"GET, HEAD"))
            return
        status, told = await self.deep() if is_deep else (200, {"status": "pass", **self._about})
        await _respond(send, status, told, has_body=method == "GET")

    async def deep(self) -> tuple[int, dict[str, Any]]:
        """The status and body of `/health/deep`. One who stops waiting does not stop the asking for the others."""
        if self._told is not None and time.monotonic() - self._told_at < self._fresh_s:
            return self._told
        asking = self._asking
        if asking is None or asking.done() or asking.get_loop() is not asyncio.get_running_loop():
            asking = self._asking = asyncio.create_task(self._ask_all())
        return await asyncio.shield(asking)

    async def _ask_all(self) -> _Told:
        found = await asyncio.gather(*(self._ask(check) for check in self._checks))
        failed = [check for check, one in zip(self._checks, found, strict=True) if one["status"] == "fail"]
        status = "pass" if not failed else "fail" if any(check.is_needed for check in failed) else "warn"
        named = {check.name: [one] for check, one in zip(self._checks, found, strict=True)}
        self._told = (503 if status == "fail" else 200, {"status": status, **self._about, "checks": named})
        self._told_at = time.monotonic()
        return self._told

    async def _ask(self, check: Check) -> dict[str, Any]:
        began, output = time.perf_counter(), ""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            async with asyncio.timeout(check.timeout_s):
                if inspect.iscoroutinefunction(check.ask):
                    await check.ask()
                else:
                    await self._in_thread(check)
        except TimeoutError:
            output = f"no answer within {check.timeout_s:g} s"
        except Unwell as unwell:
            output = str(unwell)
        except Exception as error:  # whatever a check of the app's own raises: it failed
            output = type(error).__name__
        told = {
            "componentType": check.component,
            "status": "fail" if output else "pass",
            "observedValue": round((time.perf_counter() - began) * 1000, 1),
            "observedUnit": "ms",
            "time": at,
        }
        return {**told, "output": output} if output else told

    async def _in_thread(self, check: Check) -> None:
        """A thread of its own, so that one that hangs takes none of the app's. It is not asked again while it hangs."""
        before = self._hanging.get(check.name)
        if before is not None and before.is_alive():
            raise Unwell("it still hangs from the time before")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()

        def told(error: Exception | None) -> None:
            if not answer.done():
                answer.set_exception(error) if error is not None else answer.set_result(None)

        def ask() -> None:
            try:
                found = check.ask()
                error = TypeError("give the coroutine function itself") if inspect.isawaitable(found) else None
            except Exception as raised:
                error = raised  # type: ignore[assignment]  # any kind of it
            if not loop.is_closed():
                loop.call_soon_threadsafe(told, error)

        thread = self._hanging[check.name] = threading.Thread(target=ask, name=f"health {check.name}", daemon=True)
        thread.start()
        await answer


async def _respond(
    send: Send, status: int, told: dict[str, Any], *headers: tuple[bytes, bytes], has_body: bool = True
) -> None:
    body = json.dumps(told, separators=(",", ":")).encode()
    length = str(len(body)).encode()
    own = [(b"content-type", MEDIA_TYPE), (b"content-length", length), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body if has_body else b""})


async def _live(receive: Receive, send: Send) -> None:
    """The start and end of a server that has this application alone."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
