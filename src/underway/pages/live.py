"""Pages that keep themselves fresh: the same parts of them again over server-sent events, when they look different."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.responses import Response, StreamingResponse

from underway.agent.look import require_process
from underway.pages import looks
from underway.pages.records import line_part
from underway.pages.site import Visit
from underway.ports.logs import LogLine

BUSY_S, QUIET_S = 1.0, 3.0
"""How often a page is looked at again: while an act is under way, and otherwise."""
_KEEP_ALIVE_S = 15.0


async def glance(visit: Visit) -> Response:
    return _fresh(visit, lambda: visit.text("glance_part.html", **looks.glance_of(visit)))


async def overview(visit: Visit) -> Response:
    looks.state_of(visit)
    return _fresh(visit, lambda: visit.text("overview_part.html", **looks.overview_of(visit)))


async def act(visit: Visit) -> Response:
    looks.act_page(visit)
    return _fresh(visit, lambda: visit.text("act_part.html", **looks.act_page(visit)))


async def logs(visit: Visit) -> Response:
    """New lines of the app's processes as they come."""
    state = looks.state_of(visit)
    process = visit.query("process")
    require_process(state, process)
    wanted = visit.query("find").lower()

    async def events() -> AsyncIterator[bytes]:
        yield b": open\n\n"
        found = visit.agent.on.logs.lines(state.app, process, 0, True)
        async for event in _until_over(visit, found):
            if event is None:
                yield b": still here\n\n"
            elif not wanted or wanted in event.line.lower():
                yield _event("line", line_part(event))

    return _stream(events())


def _fresh(visit: Visit, make: Callable[[], str]) -> Response:
    """`make` again and again; what came out is sent when it is not what was sent last."""

    async def events() -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n"
        last, quiet_s = "", 0.0
        while not visit.agent.leaving.is_set():
            if not _is_in(visit):
                yield _event("over", "")
                return
            text = make()
            if text != last:
                yield _event("part", text)
                last, quiet_s = text, 0.0
            elif quiet_s >= _KEEP_ALIVE_S:
                yield b": still here\n\n"
                quiet_s = 0.0
            pause_s = BUSY_S if any(it.act for it in visit.agent.journal.states().values()) else QUIET_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(visit.agent.leaving.wait(), pause_s)
            quiet_s += pause_s

    return _stream(events())


async def _until_over(visit: Visit, found: AsyncIterator[LogLine]) -> AsyncIterator[LogLine | None]:
    """Lines as they come, None now and then, until the session or the agent ends."""
    item: asyncio.Future[LogLine] | None = None
    try:
        while not visit.agent.leaving.is_set() and _is_in(visit):
            item = item or asyncio.ensure_future(anext(found))
            done, _ = await asyncio.wait({item}, timeout=2.0)
            if not done:
                yield None
                continue
            line, item = item.result(), None
            yield line
    finally:
        if item is not None:
            item.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await item


def _is_in(visit: Visit) -> bool:
    """Whether the session is still open. Looking at a page that keeps itself fresh does not keep it so."""
    return visit.agent.access.sessions.is_open(visit.session, visit.now)


def _event(name: str, text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()


def _stream(events: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
