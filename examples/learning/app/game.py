"""The letters game: the next question, the answer to it, and what a child has learned."""

import base64
import hashlib
import hmac
import json
import random
import time
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from app.auth import SignedIn
from app.children import found
from app.db import Pool
from app.practice import HIGHEST_BOX, Learned, choose_letter, make_question, next_box
from app.problems import Problem
from app.words import ORDER

QUESTION_LASTS_S = 24 * 3600

router = APIRouter(prefix="/api")


class Answer(BaseModel):
    child: UUID
    question: str = Field(max_length=600)
    choice: str = Field(pattern="^[A-Z]$")


def seal(key: bytes, question: dict[str, Any]) -> str:
    """A question the browser carries and cannot change: no row is written until it is answered."""
    body = base64.urlsafe_b64encode(json.dumps(question, separators=(",", ":")).encode()).decode()
    return f"{body}.{hmac.new(key, b'question:' + body.encode(), hashlib.sha256).hexdigest()}"


def unseal(key: bytes, sealed: str) -> dict[str, Any]:
    body, _, signature = sealed.partition(".")
    expected = hmac.new(key, b"question:" + body.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise Problem(400, "bad-question", "This question is not one of ours.")
    question = json.loads(base64.urlsafe_b64decode(body))
    if question["at"] + QUESTION_LASTS_S < time.time():
        raise Problem(400, "old-question", "This question is too old. Here comes a new one.")
    return question


@router.get("/game/next")
async def next_question(child: UUID, request: Request, parent: SignedIn, pool: Pool) -> dict[str, Any]:
    row = found(
        await pool.fetchrow("select turns, stars from children where id = $1 and parent_id = $2", child, parent.id)
    )
    known = {
        one["letter"]: Learned(one["box"], one["last_turn"])
        for one in await pool.fetch("select letter, box, last_turn from letters where child_id = $1", child)
    }
    question = make_question(choose_letter(known, row["turns"] + 1), random.Random())
    sealed = seal(
        request.app.state.settings.signing_key,
        {
            "id": str(uuid4()),
            "child": str(child),
            "letter": question.letter,
            "word": question.word,
            "at": int(time.time()),
        },
    )
    return {
        "question": sealed,
        "word": question.word,
        "picture": question.picture,
        "choices": question.choices,
        "stars": row["stars"],
    }


@router.post("/game/answer")
async def answer(given: Answer, request: Request, parent: SignedIn, pool: Pool) -> dict[str, Any]:
    """Counts an answer once: the same question sent again gets the same outcome and changes nothing."""
    question = unseal(request.app.state.settings.signing_key, given.question)
    if question["child"] != str(given.child):
        raise Problem(400, "bad-question", "This question was asked of somebody else.")
    letter = question["letter"]
    is_right = given.choice == letter
    async with pool.acquire() as connection, connection.transaction():
        child = found(
            await connection.fetchrow(
                "select turns, stars from children where id = $1 and parent_id = $2 for update", given.child, parent.id
            )
        )
        turns, stars = child["turns"], child["stars"]
        is_new = await connection.fetchval(
            "insert into answers (question, child_id, letter, choice, is_right) values ($1, $2, $3, $4, $5)"
            " on conflict do nothing returning true",
            UUID(question["id"]),
            given.child,
            letter,
            given.choice,
            is_right,
        )
        if is_new:
            turns, stars = turns + 1, stars + is_right
            box = await connection.fetchval(
                "select box from letters where child_id = $1 and letter = $2", given.child, letter
            )
            await connection.execute(
                "insert into letters (child_id, letter, box, last_turn, right_answers, wrong_answers)"
                " values ($1, $2, $3, $4, $5, $6)"
                " on conflict (child_id, letter) do update set box = $3, last_turn = $4,"
                " right_answers = letters.right_answers + $5, wrong_answers = letters.wrong_answers + $6",
                given.child,
                letter,
                next_box(box, is_right),
                turns,
                int(is_right),
                int(not is_right),
            )
            await connection.execute(
                "update children set turns = $2, stars = $3 where id = $1", given.child, turns, stars
            )
        else:
            is_right = await connection.fetchval(
                "select is_right from answers where question = $1", UUID(question["id"])
            )
    return {"is_right": is_right, "letter": letter, "word": question["word"], "stars": stars, "turns": turns}


@router.get("/progress")
async def progress(child: UUID, parent: SignedIn, pool: Pool) -> dict[str, Any]:
    row = found(
        await pool.fetchrow(
            "select name, turns, stars from children where id = $1 and parent_id = $2", child, parent.id
        )
    )
    seen = {
        one["letter"]: one
        for one in await pool.fetch(
            "select letter, box, right_answers, wrong_answers from letters where child_id = $1", child
        )
    }
    return {
        "name": row["name"],
        "turns": row["turns"],
        "stars": row["stars"],
        "highest": HIGHEST_BOX,
        "letters": [
            {
                "letter": letter,
                "grown": seen[letter]["box"] if letter in seen else None,
                "right": seen[letter]["right_answers"] if letter in seen else 0,
                "wrong": seen[letter]["wrong_answers"] if letter in seen else 0,
            }
            for letter in sorted(ORDER)
        ],
    }
