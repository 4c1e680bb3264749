"""What counts as a leak, what is doubtful, and what is nothing."""

from __future__ import annotations

import base64
import json

import pytest

from underway.leaks.judge import fingerprint, is_random, judge
from underway.terms.leak import Hit, Weight
from underway.terms.secret import Secret

RANDOM = "kX93jf" + "Qm20dkLs9f3jsPq81ZtR"
HEX = "8f3b2c9d1e7a6b5c" + "4d3e2f1a0b9c8d7e"
CONTEXT = "underway.assigned-secret"
IN_ENV = "underway.env-file-secret"
ADDRESS = "betterleaks.generic-credential-uri"


def seen(
    secret: str,
    *,
    rule: str = CONTEXT,
    path: str = "app/config.py",
    before: str = 'API_KEY = "',
    after: str = '"',
    around: str = "",
) -> Weight | None:
    hit = Hit(rule, "a rule", Secret(secret), path, 3, 1, before, after, around)
    leak = judge(hit)
    return leak.weight if leak else None


@pytest.mark.parametrize("text", [RANDOM, HEX, "3b1f2c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d"])
def test_a_random_value_under_a_secret_name_is_a_leak(text: str) -> None:
    assert is_random(text)
    assert seen(text) is Weight.LEAK


@pytest.mark.parametrize(
    "text",
    [
        "access_token", "same-origin", "wrong_password", "TestPassword123!", "newPassword123!", "your-api-key-here-1",
        "changeme12345678", "settings.GOOGLE_OAUTH2_CLIENT_SECRET", "https://oauth2.googleapis.com/token",
        "$POSTGRES_PASSWORD", "${API_KEY}", "{{ secrets.TOKEN }}", "process.env.MYSQL_PASSWORD",
        "random_lower_string()", "a b",
        "this_is_a_secret_abc123abc1", "notification.cellPassword", "refreshTokenService", "xxxxxxxxxxxxxxx1234",
        "secret-for-development-2024",
    ],
)  # fmt: skip
def test_words_names_and_placeholders_are_nothing(text: str) -> None:
    assert seen(text) is None
    assert seen(text, rule=IN_ENV, path=".env", before="API_KEY=", after="") is None


def test_a_password_that_a_person_typed_counts_in_the_source_and_not_in_a_test() -> None:
    typed = {"before": 'DB_PASSWORD = "', "after": '"'}
    assert seen("rosebud-1941-kane", **typed) is Weight.LEAK
    assert seen("rosebud-1941-kane", path="tests/test_login.py", **typed) is None
    assert seen("rosebud-1941-kane", before='title = "') is None


def test_a_random_value_in_a_test_or_a_document_is_doubtful() -> None:
    for path in (
        "tests/test_api.py",
        "README.md",
        "docs/setup/keys.py",
        "app/api.test.ts",
        ".env.example",
        "scripts/test-environments/x/configuration.yml",
    ):
        assert seen(RANDOM, path=path) is Weight.DOUBTFUL, path


def test_the_rule_for_environment_files_keeps_to_them() -> None:
    assert seen(HEX, rule=IN_ENV, path="deploy/.env", before="JWT_SECRET=", after="") is Weight.LEAK
    assert seen(HEX, rule=IN_ENV, path="app/token.py", before="token = ", after="") is None


@pytest.mark.parametrize(
    ("secret", "before", "after", "path", "weight"),
    [
        ("postgres", "postgresql://postgres:", "@db:5432/app", "docker-compose.yml", None),
        ("guest", "amqp://guest:", "@broker//", "settings.py", None),
        ("hunter-22", "postgres://app:", "@localhost/app", "settings.py", None),
        ("p4ss-of-1969-moon", "postgres://app:", "@db.prod.example.net:5432/app", "settings.py", Weight.LEAK),
        (HEX, "postgres://u:", "@ec2-1.compute.amazonaws.com:5432/d", "README.md", Weight.DOUBTFUL),
        ("${PASSWORD}", "postgres://u:", "@db.example.net/d", "settings.py", None),
    ],
)
def test_a_password_in_an_address(secret: str, before: str, after: str, path: str, weight: Weight | None) -> None:
    assert seen(secret, rule=ADDRESS, path=path, before=before, after=after) is weight


def test_a_token_is_judged_by_its_own_claims() -> None:
    def token(**claims: object) -> str:
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl"

    rule = "betterleaks.jwt"
    assert seen(token(role="anon", iss="supabase"), rule=rule) is None
    assert seen(token(role="service_role", exp=2_000_000_000), rule=rule) is Weight.LEAK
    assert seen(token(sub="me", exp=1_700_000_000), rule=rule) is Weight.DOUBTFUL
    assert seen(token(sub="me"), rule=rule) is Weight.LEAK


def test_keys_that_browsers_are_given_are_doubtful() -> None:
    google = "AIza" + "SyAd15pYlMci_xIp9ko6wkEsDzAAA0Dn0RU"
    rule = "betterleaks.gcp-api-key"
    assert seen(google, rule=rule, around="VITE_FIREBASE_CONFIG={apiKey: …, authDomain: …}") is Weight.DOUBTFUL
    assert seen(google, rule=rule) is Weight.LEAK
    assert seen(HEX, around="algolia: { appId: 'X', indexName: 'docs'") is Weight.DOUBTFUL


def test_chance_matches_inside_packed_bytes_are_nothing() -> None:
    packed = "Qk1" * 60
    assert seen("BSAb29tc3dlZXA0Mjk4NTYx", rule="betterleaks.brave-search-api-key", before=packed, after=packed) is None


def test_a_fingerprint_is_the_same_for_the_same_secret_and_tells_nothing() -> None:
    assert fingerprint(RANDOM) == fingerprint(RANDOM) != fingerprint(HEX)
    assert len(fingerprint(RANDOM)) == 16
    leak = judge(Hit(CONTEXT, "a rule", Secret(RANDOM), "a.py", 1, 1, 'API_KEY = "', '"'))
    assert leak is not None
    assert RANDOM not in repr(leak)
