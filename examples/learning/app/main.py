"""The application: `uvicorn app.main:app`."""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Scope

from app import auth, children, game, live
from app.db import Pool, open_pool
from app.guards import Guards
from app.problems import tell_problems
from app.release import RELEASE_NOTE, VERSION
from app.settings import load_settings, release_id

WEB = Path(__file__).resolve().parent.parent / "web"
HASHED_NAME = re.compile(r"\.[0-9a-f]{8,}\.\w+$")

settings = load_settings()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    pool = await open_pool(settings.database_url)
    app.state.pool, app.state.stars = pool, live.StarCount(pool)
    watching = asyncio.create_task(app.state.stars.watch())
    try:
        with live.told_of_stop(app.state.stars):
            yield
    finally:
        watching.cancel()
        await app.state.stars.stop()
        await asyncio.wait_for(pool.close(), 5)


app = FastAPI(title="Letter Meadow", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
app.state.settings = settings
app.add_middleware(Guards, allowed_origins=settings.origins)
if settings.origins:
    app.add_middleware(
        CORSMiddleware,
        allow_origins=sorted(settings.origins),
        allow_credentials=True,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["content-type", "x-csrf-token"],
    )
tell_problems(app)
for room in (auth, children, game, live):
    app.include_router(room.router)


class Assets(StaticFiles):
    """Files of the page. Browsers ask every time whether they changed, unless the name itself carries a hash."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        is_hashed = HASHED_NAME.search(path) is not None
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if is_hashed else "no-cache"
        return response


def page() -> str:
    """index.html with the release filled in, so that a person sees which one answered."""
    text = (WEB / "index.html").read_text(encoding="utf-8")
    for name, value in {"version": VERSION, "note": RELEASE_NOTE, "release": release_id()}.items():
        text = text.replace("{{" + name + "}}", html.escape(value))
    return text


PAGE = page()


@app.get("/", include_in_schema=False)
async def home() -> HTMLResponse:
    return HTMLResponse(PAGE, headers={"cache-control": "no-cache"})


@app.get("/health")
async def health() -> dict[str, str]:
    """Whether the process is alive. Asks nothing of the database."""
    return {"status": "alive", "version": VERSION, "release": release_id()}


@app.get("/health/deep")
async def deep_health(pool: Pool) -> JSONResponse:
    """Whether a question could be asked and answered: the database is there and has been migrated."""
    try:
        migrated = await pool.fetchval("select version_num from alembic_version", timeout=2)
    except Exception as error:  # whatever is wrong with the database, the answer is the same
        return JSONResponse({"status": "failing", "database": type(error).__name__, "version": VERSION}, 503)
    return JSONResponse({"status": "alive", "database": "alive", "migration": migrated, "version": VERSION})


@app.get("/api/version")
async def version() -> dict[str, str]:
    return {"version": VERSION, "note": RELEASE_NOTE, "release": release_id()}


app.mount("/assets", Assets(directory=WEB), name="assets")
