"""The children of a parent."""

from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints

from app.auth import SignedIn
from app.db import Pool
from app.problems import Problem

MOST_CHILDREN = 8

router = APIRouter(prefix="/api/children")

Avatar = Literal["fox", "rabbit", "bear", "cat", "frog", "owl", "panda", "unicorn"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20)]


class Portrait(BaseModel):
    name: Name
    avatar: Avatar


def shown(row: asyncpg.Record) -> dict[str, Any]:
    return {"id": str(row["id"]), "name": row["name"], "avatar": row["avatar"], "stars": row["stars"]}


@router.get("")
async def children(parent: SignedIn, pool: Pool) -> list[dict[str, Any]]:
    rows = await pool.fetch(
        "select id, name, avatar, stars from children where parent_id = $1 order by created_at, id", parent.id
    )
    return [shown(row) for row in rows]


@router.post("", status_code=201)
async def add_child(portrait: Portrait, parent: SignedIn, pool: Pool) -> dict[str, Any]:
    row = await pool.fetchrow(
        "insert into children (parent_id, name, avatar) select $1, $2, $3"
        " where (select count(*) from children where parent_id = $1) < $4 returning id, name, avatar, stars",
        parent.id,
        portrait.name,
        portrait.avatar,
        MOST_CHILDREN,
    )
    if row is None:
        raise Problem(409, "too-many-children", f"There is room for {MOST_CHILDREN} children.")
    return shown(row)


@router.put("/{child}")
async def change_child(child: UUID, portrait: Portrait, parent: SignedIn, pool: Pool) -> dict[str, Any]:
    row = await pool.fetchrow(
        "update children set name = $3, avatar = $4 where id = $1 and parent_id = $2 returning id, name, avatar, stars",
        child,
        parent.id,
        portrait.name,
        portrait.avatar,
    )
    return shown(found(row))


@router.delete("/{child}", status_code=204)
async def remove_child(child: UUID, parent: SignedIn, pool: Pool) -> None:
    found(await pool.fetchrow("delete from children where id = $1 and parent_id = $2 returning id", child, parent.id))


def found(row: asyncpg.Record | None) -> asyncpg.Record:
    """The row, or the answer that there is no such child (of this parent)."""
    if row is None:
        raise Problem(404, "no-such-child", "There is no such child.")
    return row
