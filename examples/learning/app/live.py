"""What moves by itself: cheers over a WebSocket, and everybody's stars as server-sent events."""

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Iterator
from types import FrameType

import asyncpg
from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from app.words import CHEERS

LOOK_EVERY_S = 1.0
QUIET_FOR_S = 15.0  # a comment line is sent after this much silence, so that proxies keep the stream

router = APIRouter()


class StarCount:
    """How many stars all children have together. One query a second serves every listener of this process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.stars: int | None = None
        self.listeners = 0
        self.changed = asyncio.Condition()
        self.is_stopping = asyncio.Event()

    async def watch(self) -> None:
        while True:
            if self.listeners:
                await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        try:
            stars = await self.pool.fetchval("select coalesce(sum(stars), 0)::bigint from children")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            return  # the count stays as it was; the next look may have more luck
        if stars != self.stars:
            async with self.changed:
                self.stars = stars
                self.changed.notify_all()

    async def stop(self) -> None:
        self.is_stopping.set()
        async with self.changed:
            self.changed.notify_all()

    async def follow(self) -> AsyncIterator[str]:
        """Event-stream text until the server stops; then the browser connects again, to the next release."""
        self.listeners += 1
        try:
            yield "retry: 500\n\n"
            if self.stars is None:
                await self.look()
            told: int | None = None
            while not self.is_stopping.is_set():
                if self.stars != told:
                    told = self.stars
                    yield f"event: stars\ndata: {told}\n\n"
                try:
                    async with asyncio.timeout(QUIET_FOR_S), self.changed:
                        await self.changed.wait_for(lambda told=told: self.stars != told or self.is_stopping.is_set())
                except TimeoutError:
                    yield ": still here\n\n"
            yield "event: bye\ndata: back soon\n\n"
        finally:
            self.listeners -= 1


@contextlib.contextmanager
def told_of_stop(stars: StarCount) -> Iterator[None]:
    """Ends the streams as soon as the server is asked to stop. It waits for open answers before the lifespan ends,
    and a stream that only the lifespan could end would keep it waiting."""
    loop = asyncio.get_running_loop()
    previous = {}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(lambda: loop.create_task(stars.stop()))
        if callable(before := previous[number]):
            before(number, frame)

    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            previous[number] = signal.signal(number, stop)
    except ValueError:  # not the main thread, as in some test clients: the lifespan's end has to do
        pass
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@router.get("/api/stars")
async def stars(request: Request) -> StreamingResponse:
    return StreamingResponse(
        request.app.state.stars.follow(),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


@router.websocket("/ws/cheer")
async def cheer(socket: WebSocket) -> None:
    """Sends a kind word every few seconds. The server closes it with 1012 (service restart) when it stops."""
    await socket.accept()

    async def listen() -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.receive_text()

    gone = asyncio.create_task(listen())
    try:
        while not gone.done():
            await socket.send_json({"cheer": random.choice(CHEERS)})
            await asyncio.wait({gone}, timeout=socket.app.state.settings.cheer_every_s)
    except (WebSocketDisconnect, RuntimeError):
        pass  # it went away while we were sending
    finally:
        gone.cancel()
