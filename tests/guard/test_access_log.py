"""Access logs are somebody else's words: read in every usual form, never trusted."""

from __future__ import annotations

from math import isnan
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.guard.simulate.access_log import Recording, milliseconds, record, seconds

CADDY = b'{"ts":1760000000.5,"request":{"client_ip":"10.0.0.1","host":"a.example"},"duration":0.25,"status":503}'
NGINX = (
    b'{"msec":"1760000000.500","remote_addr":"10.0.0.1","request":"GET / HTTP/1.1",'
    b'"status":"503","request_time":"0.250"}'
)
COMBINED = b'10.0.0.1 - - [09/Oct/2025:08:53:20 +0000] "GET /\\" HTTP/1.1" 503 1 "-" "x \\"y\\"" 0.250'


def read(*lines: bytes, app: str = "") -> Recording:
    recording = Recording()
    record(lines, recording, app)
    recording.sort()
    return recording


@pytest.mark.parametrize("line", [CADDY, NGINX, COMBINED], ids=["caddy", "nginx", "combined"])
def test_a_request_is_read_as_it_was(line: bytes) -> None:
    seen = read(line)
    assert seen.at[0] == pytest.approx(1_760_000_000.5, abs=0.6)
    assert (list(seen.failed), list(seen.took_ms), seen.unread) == ([1], [250.0], 0)
    assert list(seen.clients) == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (1_760_000_000, 1_760_000_000.0),
        ("1760000000.5", 1_760_000_000.5),
        (1_760_000_000_500, 1_760_000_000.5),
        ("2025-10-09T08:53:20Z", 1_760_000_000.0),
        ("2025-10-09T10:53:20+02:00", 1_760_000_000.0),
        ("09/Oct/2025:08:53:20 +0000", 1_760_000_000.0),
        ("yesterday", None),
        ("nan", None),
        ("inf", None),
        (-1.0, None),
        ("99/Oct/2025:08:53:20 +0000", None),
    ],
)
def test_a_time_is_read_in_every_usual_form(text: float | str, expected: float | None) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(("text", "ms"), [(0.25, 250), ("0.25", 250), ("1.5ms", 1.5), ("250µs", 0.25), ("2s", 2000)])
def test_a_duration_is_read_in_every_usual_form(text: float | str, ms: float) -> None:
    assert milliseconds(text) == pytest.approx(ms)


@pytest.mark.parametrize("text", ["-", "", "nan", "-1", 1e12, None])
def test_a_duration_that_cannot_be_is_none(text: float | str | None) -> None:
    assert isnan(milliseconds(text))


def test_clients_that_went_away_probes_and_other_apps_do_not_count() -> None:
    gone = CADDY.replace(b"503", b"499"), CADDY.replace(b"503", b"0")
    probe = CADDY.replace(b'"status"', b'"probe":"health","status"')
    assert len(read(*gone, probe)) == 0
    assert len(read(CADDY, app="a.example")) == 1
    assert len(read(CADDY, app="b.example")) == 0


def test_lines_in_the_order_of_their_end_are_put_into_the_order_of_time() -> None:
    seen = read(CADDY, CADDY.replace(b"1760000000.5", b"1759999999.5").replace(b"503", b"200"))
    assert (list(seen.at), list(seen.failed)) == ([1_759_999_999.5, 1_760_000_000.5], [0, 1])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=300) | st.sampled_from([CADDY, NGINX, COMBINED]), max_size=10), st.data())
def test_no_line_breaks_the_reader(lines: list[bytes], more: st.DataObject) -> None:
    mangled = []
    for line in lines:
        at = more.draw(st.integers(0, max(len(line) - 1, 0)))
        mangled.append(line[:at] + more.draw(st.binary(max_size=4)) + line[at + 1 :])
    seen = read(*mangled)
    assert seen.lines == len(lines)
    assert len(seen) + seen.unread <= len(lines)
    assert all(0 < at < 1e11 for at in seen.at)


def test_a_line_without_end_is_passed_over() -> None:
    seen = read(b'{"status":200,"x":"' + b"a" * 200_000 + b'"}', b"[" * 100_000, b'{"request":' * 5000)
    assert (len(seen), seen.unread) == (0, 3)


@pytest.mark.parametrize(
    "line",
    [
        b'{"ts":1760000000.5,"request":{"method":"GET","uri":"/orders/1234?page=2"},"duration":0.25,"status":200}',
        b'{"msec":"1760000000.5","request":"GET /orders/1234?page=2 HTTP/1.1","status":"200"}',
        b'{"msec":"1760000000.5","request_method":"GET","request_uri":"/orders/1234?page=2","status":"200"}',
        b'10.0.0.1 - - [09/Oct/2025:08:53:20 +0000] "GET /orders/1234?page=2 HTTP/1.1" 200 1 "-" "x" 0.250',
    ],
    ids=["caddy", "nginx", "nginx in parts", "combined"],
)
def test_a_request_belongs_to_its_route(line: bytes) -> None:
    seen = read(line)
    assert [seen.routes[number] for number in seen.route] == ["GET /orders/*"]


def test_an_error_and_a_line_that_names_no_path_belong_to_none() -> None:
    seen = read(COMBINED, COMBINED.replace(b'"GET /\\" HTTP/1.1" 503', b'"\\x16\\x03" 200'), CADDY)
    assert [seen.routes[number] for number in seen.route] == ["", "", ""]


def test_the_names_of_routes_are_bounded() -> None:
    chance = Random(1)
    words = ["".join(chance.choices("abcdefghij", k=8)) for _ in range(6000)]
    seen = read(*(b'{"ts":1760000000,"request":{"method":"GET","uri":"/%s"},"status":200}' % w.encode() for w in words))
    assert (len(seen), len(seen.routes)) == (6000, 4096)
