"""Parents: register, log in, log out. Sessions live in PostgreSQL; the browser holds a random token."""

import asyncio
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from app.db import Pool
from app.guards import SAFE_METHODS
from app.problems import Problem

COOKIE = "meadow_session"
SESSION_LASTS = timedelta(days=30)
FREE_TRIES = 10
LOCKED_FOR = timedelta(minutes=1)

# OWASP's smallest recommendation for argon2id: 19 MiB, two passes, one lane. About 30 ms on a small server.
hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
hashing = asyncio.Semaphore(max(1, os.cpu_count() or 1))  # a burst of logins takes turns instead of all the memory
NOBODYS_HASH = hasher.hash(secrets.token_urlsafe(16))  # unknown addresses take as long as wrong passwords

router = APIRouter(prefix="/api")


class Credentials(BaseModel):
    email: str = Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    password: str = Field(min_length=8, max_length=200)


@dataclass(frozen=True)
class Parent:
    id: int
    email: str
    csrf: str


def csrf_token(request: Request, token: str) -> str:
    return hmac.new(request.app.state.settings.signing_key, b"csrf:" + token.encode(), hashlib.sha256).hexdigest()


def stored(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def hash_password(password: str) -> str:
    async with hashing:
        return await asyncio.to_thread(hasher.hash, password)


async def is_password(password_hash: str, password: str) -> bool:
    async with hashing:
        try:
            return await asyncio.to_thread(hasher.verify, password_hash, password)
        except VerificationError:
            return False


async def signed_in(request: Request, pool: Pool) -> Parent:
    """The parent whose session this is. A write must also carry the session's own X-CSRF-Token."""
    token = request.cookies.get(COOKIE)
    row = token and await pool.fetchrow(
        "select p.id, p.email from sessions s join parents p on p.id = s.parent_id"
        " where s.token_hash = $1 and s.expires_at > now()",
        stored(token),
    )
    if not token or not row:
        raise Problem(401, "signed-out", "Please log in first.")
    csrf = csrf_token(request, token)
    sent = request.headers.get("x-csrf-token", "")
    if request.method not in SAFE_METHODS and not hmac.compare_digest(csrf.encode(), sent.encode()):
        raise Problem(403, "csrf", "This page is out of date. Please load it again.")
    return Parent(row["id"], row["email"], csrf)


SignedIn = Annotated[Parent, Depends(signed_in)]


async def open_session(request: Request, response: Response, connection: asyncpg.Connection, parent_id: int) -> str:
    """Starts a session, sets its cookie and returns its CSRF token."""
    token = secrets.token_urlsafe(32)
    await connection.execute(
        "insert into sessions (token_hash, parent_id, expires_at) values ($1, $2, now() + $3)",
        stored(token),
        parent_id,
        SESSION_LASTS,
    )
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_https(request),
    )
    return csrf_token(request, token)


def is_https(request: Request) -> bool:
    return request.headers.get("x-forwarded-proto", request.url.scheme).split(",")[0].strip() == "https"


@router.post("/register", status_code=201)
async def register(asked: Credentials, request: Request, response: Response, pool: Pool) -> dict[str, str]:
    password_hash = await hash_password(asked.password)
    async with pool.acquire() as connection, connection.transaction():
        parent_id = await connection.fetchval(
            "insert into parents (email, password_hash) values ($1, $2) on conflict do nothing returning id",
            asked.email.strip(),
            password_hash,
        )
        if parent_id is None:
            raise Problem(409, "email-taken", "There is already an account with this e-mail address.")
        csrf = await open_session(request, response, connection, parent_id)
    return {"email": asked.email.strip(), "csrf": csrf}


@router.post("/login")
async def login(asked: Credentials, request: Request, response: Response, pool: Pool) -> dict[str, str]:
    parent = await pool.fetchrow(
        "select id, email, password_hash, locked_until > now() as is_locked from parents"
        " where lower(email) = lower($1)",
        asked.email.strip(),
    )
    if parent and parent["is_locked"]:
        raise Problem(429, "too-many-tries", "Too many tries. Please wait a minute.")
    if not await is_password(parent["password_hash"] if parent else NOBODYS_HASH, asked.password):
        if parent:
            await pool.execute(
                "update parents set failed_logins = (failed_logins + 1) % $2,"
                " locked_until = case when failed_logins + 1 >= $2 then now() + $3 end where id = $1",
                parent["id"],
                FREE_TRIES,
                LOCKED_FOR,
            )
        raise Problem(401, "wrong-password", "E-mail address or password is not right.")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "update parents set failed_logins = 0, locked_until = null where id = $1", parent["id"]
        )
        await connection.execute("delete from sessions where expires_at < now()")
        csrf = await open_session(request, response, connection, parent["id"])
    return {"email": parent["email"], "csrf": csrf}


@router.post("/logout", status_code=204)
async def logout(request: Request, response: Response, parent: SignedIn, pool: Pool) -> None:
    await pool.execute("delete from sessions where token_hash = $1", stored(request.cookies[COOKIE]))
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=is_https(request))


@router.get("/me")
async def me(request: Request, pool: Pool) -> dict[str, str | None]:
    """Who is logged in. That nobody is, is an answer and not an error: the page asks on every visit."""
    try:
        parent = await signed_in(request, pool)
    except Problem:
        return {"email": None, "csrf": None}
    return {"email": parent.email, "csrf": parent.csrf}
