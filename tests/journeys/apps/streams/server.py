"""Quick, slow and endless answers over FastAPI and uvicorn; each names the release it comes from."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, StreamingResponse

RELEASE = os.environ["UNDERWAY_RELEASE"]
VERSION = Path(__file__).with_name("VERSION").read_text().strip()
TICK_S = 0.1

app = FastAPI(openapi_url=None)


class Server(uvicorn.Server):
    """uvicorn, that tells its endless streams to end when it is asked to stop."""

    stops = asyncio.Event()

    def handle_exit(self, sig, frame):
        super().handle_exit(sig, frame)
        self.stops.set()


server = Server(
    uvicorn.Config(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)
)


@app.api_route("/", methods=["GET", "POST"])
async def root(request: Request):
    await request.body()
    return PlainTextResponse(RELEASE)


@app.get("/health")
async def health():
    return {"version": VERSION}


@app.get("/slow/{seconds}")
async def slow(seconds: float):
    await asyncio.sleep(seconds)
    return PlainTextResponse(RELEASE)


@app.get("/events/{count}")
async def events(count: int):
    """`count` events, or without end (0) until the server is asked to stop; the last one is `end`."""

    async def lines():
        number = 0
        while not server.stops.is_set() and (number < count or not count):
            number += 1
            yield f"data: {RELEASE} {number}\n\n"
            with suppress(TimeoutError):
                await asyncio.wait_for(server.stops.wait(), TICK_S)
        yield "event: end\ndata: end\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await socket.send_text(f"{RELEASE} {await socket.receive_text()}")


server.run()
