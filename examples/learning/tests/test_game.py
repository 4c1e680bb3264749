"""Children, questions, answers and progress."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from conftest import Family, Server


@pytest.fixture
def stranger(server: Server):
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield Family(client).register()


def test_a_child_is_added_changed_and_removed(family: Family) -> None:
    child = family.add_child("  Mia ")
    assert family.http.get("/api/children").json() == [{"id": child, "name": "Mia", "avatar": "fox", "stars": 0}]
    family.write("PUT", f"/api/children/{child}", {"name": "Mio", "avatar": "bear"})
    assert [(one["name"], one["avatar"]) for one in family.http.get("/api/children").json()] == [("Mio", "bear")]
    family.play(child)
    assert family.write("DELETE", f"/api/children/{child}").status_code == 204
    assert family.http.get("/api/children").json() == []
    assert family.http.get("/api/progress", params={"child": child}).status_code == 404


@pytest.mark.parametrize(
    "portrait", [{"name": " ", "avatar": "fox"}, {"name": "M" * 21, "avatar": "fox"}, {"name": "M", "avatar": "ox"}]
)
def test_a_portrait_that_cannot_be_is_refused(family: Family, portrait: dict) -> None:
    assert family.write("POST", "/api/children", portrait).status_code == 422


def test_there_is_room_for_eight_children(family: Family) -> None:
    for number in range(8):
        family.add_child(f"Child {number}")
    ninth = family.write("POST", "/api/children", {"name": "Nina", "avatar": "cat"})
    assert (ninth.status_code, ninth.json()["error"]["code"]) == (409, "too-many-children")


def test_a_right_answer_earns_a_star_and_is_remembered(family: Family) -> None:
    child = family.add_child()
    first = family.play(child)
    assert (first["is_right"], first["stars"], first["turns"]) == (True, 1, 1)
    second = family.play(child, is_right=False)
    assert (second["is_right"], second["stars"], second["turns"]) == (False, 1, 2)
    progress = family.http.get("/api/progress", params={"child": child}).json()
    assert (progress["stars"], progress["turns"], len(progress["letters"])) == (1, 2, 26)
    grown = {one["letter"]: one for one in progress["letters"] if one["grown"] is not None}
    assert grown[first["letter"]]["right"] == 1
    assert grown[second["letter"]]["wrong"] == 1
    assert grown[first["letter"]]["grown"] > grown[second["letter"]]["grown"]


def test_the_question_does_not_name_its_letter_in_the_clear_fields(family: Family) -> None:
    question = family.http.get("/api/game/next", params={"child": family.add_child()}).json()
    assert "letter" not in question
    assert len(question["choices"]) == 4


def test_the_same_answer_sent_again_counts_once(family: Family) -> None:
    child = family.add_child()
    first = family.play(child)
    again = family.write("POST", "/api/game/answer", first["asked"])
    assert again.json() == {name: first[name] for name in again.json()}
    changed_mind = family.write("POST", "/api/game/answer", {**first["asked"], "choice": "Q"}).json()
    assert (changed_mind["is_right"], changed_mind["stars"], changed_mind["turns"]) == (True, 1, 1)


def test_answers_at_the_same_moment_all_count(family: Family, server: Server) -> None:
    child = family.add_child()
    cookies = dict(family.http.cookies)
    asked = []
    for _ in range(12):
        question = family.http.get("/api/game/next", params={"child": child}).json()
        asked.append({"child": child, "question": question["question"], "choice": question["word"][0].upper()})

    def answer(body: dict) -> int:
        headers = {"x-csrf-token": family.csrf}
        url = f"{server.url}/api/game/answer"
        return httpx.post(url, json=body, headers=headers, cookies=cookies, trust_env=False).status_code

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(answer, asked * 2)) == {200}
    assert family.http.get("/api/progress", params={"child": child}).json()["stars"] == 12


def test_a_question_that_was_tampered_with_is_refused(family: Family) -> None:
    child, sibling = family.add_child(), family.add_child("Noah")
    question = family.http.get("/api/game/next", params={"child": child}).json()["question"]
    for forged in (question[:-1] + ("0" if question[-1] != "0" else "1"), "x" + question, "", "é.é", "no-dot"):
        refused = family.write("POST", "/api/game/answer", {"child": child, "question": forged, "choice": "A"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad-question"), forged
    swapped = family.write("POST", "/api/game/answer", {"child": sibling, "question": question, "choice": "A"})
    assert swapped.status_code == 400


def test_a_family_sees_its_own_children_only(family: Family, stranger: Family) -> None:
    child = family.add_child()
    assert stranger.http.get("/api/children").json() == []
    assert stranger.http.get("/api/progress", params={"child": child}).status_code == 404
    assert stranger.http.get("/api/game/next", params={"child": child}).status_code == 404
    assert stranger.write("PUT", f"/api/children/{child}", {"name": "X", "avatar": "cat"}).status_code == 404
    assert stranger.write("DELETE", f"/api/children/{child}").status_code == 404
    question = family.http.get("/api/game/next", params={"child": child}).json()["question"]
    stolen = stranger.write("POST", "/api/game/answer", {"child": child, "question": question, "choice": "A"})
    assert stolen.status_code == 404
    assert family.http.get("/api/children").json()[0]["name"] == "Mia"


def test_a_child_that_never_was(family: Family) -> None:
    assert family.http.get("/api/game/next", params={"child": str(uuid4())}).status_code == 404
    assert family.http.get("/api/game/next", params={"child": "mia"}).status_code == 422
