"""What the command line reads from the agent's socket: whole, in pieces, cut short, or not HTTP at all."""

from __future__ import annotations

import socket
import threading

import pytest

from underway.cli.wire import Wire

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def answering(tmp_path):
    """A server that gives one connection the bytes it is told, and keeps what it was asked."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = tmp_path / "agent.sock"
    listener.bind(str(path))
    listener.listen(1)
    asked = []
    threads = []

    def answer(*parts, stays_open=None):
        def serve():
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65_536))
                for part in parts:
                    connection.sendall(part)
                if stays_open:
                    stays_open.wait(10)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return path, asked

    yield answer
    for thread in threads:
        thread.join(10)
    listener.close()


def test_a_body_of_stated_length(answering):
    path, asked = answering(HEAD + b"content-length: 5\r\n\r\nhello")
    with Wire(path, 5) as wire:
        assert wire.ask("POST", "/v1/plans", b"{}") == 200
        assert wire.read() == b"hello"
    assert asked[0].startswith(b"POST /v1/plans HTTP/1.1\r\nHost: underway\r\n")
    assert asked[0].endswith(b"\r\n\r\n{}")
    assert b"Content-Length: 2\r\n" in asked[0]


def test_lines_come_while_the_answer_is_still_open(answering):
    over = threading.Event()
    path, _ = answering(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"6\r\none\ntw\r\n", b"2\r\no\n\r\n", stays_open=over
    )
    with Wire(path, 5) as wire:
        wire.ask("GET", "/v1/events")
        lines = wire.lines()
        assert [next(lines), next(lines)] == [b"one", b"two"]
        over.set()
        with pytest.raises(ConnectionError):
            next(lines)


def test_a_last_line_without_its_end_counts(answering):
    path, _ = answering(HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\na\nb\nc\r\n0\r\n\r\n")
    with Wire(path, 5) as wire:
        wire.ask("GET", "/")
        assert list(wire.lines()) == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    "cut",
    [
        HEAD + b"content-length: 5\r\n\r\nhell",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhel",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nmany\r\nhello\r\n",
        HEAD + b"content-len",
        b"+PONG\r\n\r\n",
        b"",
    ],
)
def test_an_answer_that_is_not_whole_is_an_error(answering, cut):
    path, _ = answering(cut)
    with Wire(path, 5) as wire, pytest.raises(OSError):  # noqa: PT012 - any of the two may see it
        wire.ask("GET", "/")
        wire.read()


def test_a_silent_agent_is_waited_for_only_so_long(answering):
    over = threading.Event()
    path, _ = answering(stays_open=over)
    with Wire(path, 0.1) as wire, pytest.raises(TimeoutError):
        wire.ask("GET", "/")
    over.set()


def test_nobody_listens(tmp_path):
    with Wire(tmp_path / "none.sock", 5) as wire, pytest.raises(FileNotFoundError):
        wire.ask("GET", "/")
