"""A small web app for the proxy's tests: `python upstream.py PORT NAME FALL_FILE`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

PORT, NAME, FALL_FILE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
let_go = asyncio.Event()


async def name(request: Request) -> Response:
    return PlainTextResponse(NAME)


async def seen(request: Request) -> Response:
    return JSONResponse({"name": NAME, "headers": dict(request.headers), "url": str(request.url)})


async def slow(request: Request) -> Response:
    await asyncio.sleep(float(request.path_params["seconds"]))
    return PlainTextResponse(NAME)


async def held(request: Request) -> Response:
    """Answers once `/let-go` was asked for, here and not through a proxy."""
    await let_go.wait()
    return PlainTextResponse(NAME)


async def held_events(request: Request) -> Response:
    async def lines() -> AsyncIterator[str]:
        for number in range(30):
            if number == 15:
                await let_go.wait()
            yield f"data: {NAME} {number}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


async def let_them_go(request: Request) -> Response:
    let_go.set()
    return PlainTextResponse("")


async def events(request: Request) -> Response:
    async def lines() -> AsyncIterator[str]:
        for number in range(int(request.path_params["count"])):
            yield f"data: {NAME} {number}\n\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(lines(), media_type="text/event-stream")


async def fall(request: Request) -> Response:
    """Dies without an answer if nobody died before."""
    await request.body()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(FALL_FILE)
        os._exit(9)
    return PlainTextResponse(NAME)


async def breaks(request: Request) -> Response:
    """Answers 500, and uvicorn closes the connection without having said so."""
    raise KeyError("currency")


async def upload(request: Request) -> Response:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return PlainTextResponse(str(size))


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.send_text(f"{NAME} {await socket.receive_text()}")


app = Starlette(
    routes=[
        Route("/", name),
        Route("/seen", seen),
        Route("/slow/{seconds}", slow),
        Route("/events/{count}", events),
        Route("/breaks", breaks),
        Route("/held", held),
        Route("/held-events", held_events),
        Route("/let-go", let_them_go),
        Route("/fall", fall, methods=["GET", "POST"]),
        Route("/upload", upload, methods=["POST"]),
        WebSocketRoute("/ws", echo),
    ]
)
if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning", access_log=False)
