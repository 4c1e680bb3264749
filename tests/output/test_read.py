"""What is understood of a line, and what somebody's words look for."""

from __future__ import annotations

import json

import pytest

from underway.output.query import wanted
from underway.output.read import read_line

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ('INFO:     127.0.0.1:5000 - "GET / HTTP/1.1" 200 OK', "info"),
        ("WARNING:root:disk is slow", "warning"),
        ("2026-11-21 20:00:00,123 ERROR shop.orders: no stock", "error"),
        ("[2026-11-21 20:00:00 +0000] [17] [CRITICAL] WORKER TIMEOUT", "critical"),
        ("[2026-11-21T20:00:00Z WARN  shop::db] slow", "warning"),
        ('level=error msg="it broke" user=7', "error"),
        ("time=2026-11-21T20:00:00Z lvl=dbug msg=x", ""),
        ("error: Cannot find module 'x'", "error"),
        ("[warn] deprecated", "warning"),
        ("npm ERR! code 1", "error"),
        ("there was no error here", ""),
        ("INFORMATION about ERRORS", ""),
        ("", ""),
    ],
)
def test_levels_of_plain_lines(line, level):
    assert read_line(line, NOW).level == level


def test_json_of_python_node_and_the_clouds():
    pino = read_line(
        '{"level":50,"time":1789999999500,"pid":1,"msg":"no stock","err":{"stack":"Error: x\\n at y"}}', NOW
    )
    assert (pino.level, pino.text, pino.at) == ("error", "no stock", 1789999999.5)
    assert json.loads(pino.fields) == {"pid": 1, "err": {"stack": "Error: x\n at y"}}, "nested text is kept"
    cloud = read_line(
        '{"severity":"WARNING","message":"slow","timestamp":"2026-09-21T13:33:19Z","trace_id":"4bf92f3577b34da6"}', NOW
    )
    assert (cloud.level, cloud.text, cloud.trace) == ("warning", "slow", "4bf92f3577b34da6")
    structlog = read_line('{"event":"paid","level":"info","timestamp":"not a time"}', NOW)
    assert (structlog.level, structlog.text, structlog.at) == ("info", "paid", NOW)


@pytest.mark.parametrize("line", ['{"a": 1', "{}", "{not json}", '{"level": {}, "msg": []}', '{"time": 1e400}', "[1]"])
def test_what_is_no_log_of_json_is_text(line):
    found = read_line(line, NOW)
    assert found.at == NOW
    assert found.text


@pytest.mark.parametrize("at", ["1", "99999999999999999999", "-5", '"2126-01-01T00:00:00Z"', "true", "null"])
def test_a_time_that_cannot_be_is_not_believed(at):
    assert read_line(f'{{"msg":"x","time":{at}}}', NOW).at == NOW


def test_words_are_looked_for_with_any_ending_and_literally_where_they_are_more_than_words():
    assert wanted("check out").match == '"check"* AND "out"*'
    found = wanted('id=42 "not found"')
    assert found.match == '"id" AND "42"* AND "not" AND "found"*'
    assert found.is_in("order id=42 was not found")
    assert not found.is_in("order id: 42 was found, not id=43")
    assert wanted("==>").match == ""
    assert wanted("==>").is_in("a ==> b")
