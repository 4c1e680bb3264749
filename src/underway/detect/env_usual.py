"""Values that the name of a required variable settles, so that nobody is asked for them."""

from __future__ import annotations

import re

TESTS_PORT = re.compile(r"(?:^|_)TEST_(?:.*_)?PORT$")
UNUSED_PORT = "9"
"""The discard port (RFC 863): nothing answers there."""
TESTS_PLACE = re.compile(r"(?:^|_)TEST_(?:.*_)?(?:DB|DATABASE|POSTGRES|PG|REDIS|MONGO)\w*$|_TEST_(?:DB|DATABASE)\w*$")
"""Where the database of the tests is: it must be there for the settings to load, and nothing of the app's asks it."""

_OTHERS = "SES|S3|AWS|CLOUDINARY|GCS|AZURE|SPACES|SENTRY|CDN|SSL|TLS|HTTPS|RECAPTCHA|LDAP"
_USUAL = (
    (re.compile(r"(?:JWT_|TOKEN_|AUTH_|HASH_)?ALG(?:ORITHM)?"), "HS256"),
    (re.compile(r"(?:JWT_)?(?:ACCESS_|REFRESH_)?TOKEN_EXPIRES?_(?:IN_)?MINUTES"), "30"),
    (re.compile(r"(?:JWT_)?(?:REFRESH_)?TOKEN_EXPIRES?_(?:IN_)?DAYS"), "7"),
    (re.compile(r"(?:\w+_)?DEBUG"), "False"),
    (
        re.compile(
            r"(?:USE|ENABLE|WITH)_(?:SES|S3|AWS|CLOUDINARY|GCS|AZURE|SPACES|SENTRY|CDN|SSL|TLS|HTTPS|RECAPTCHA|LDAP)"
        ),
        "False",
    ),
    (re.compile(r"(?:REDIS|VALKEY|CACHE)_(?:DB|DATABASE|DB_INDEX)"), "0"),
    (re.compile(r"(?:APP_|API_|WEB_|UVICORN_|BIND_|LISTEN_)?HOST"), "127.0.0.1"),
    (re.compile(r"(?:APP|API|WEB|UVICORN|LISTEN|SERVER)_PORT"), "8000"),
    (re.compile(r"(?:\w+_)?LOG(?:GING)?_LEVEL"), "INFO"),
    (re.compile(r"(?:\w+_)?(?:E?MAIL|SMTP)(?:_HOST|_SERVER)?_PORT"), "587"),
    (re.compile(r"(?:\w+_)?(?:E?MAIL|SMTP)_(?:USE_)?(?:START)?TLS"), "True"),
    (re.compile(r"(?:\w+_)?(?:E?MAIL|SMTP)_(?:USE_)?SSL"), "False"),
)
"""What a name alone settles: the algorithm for the one secret that is generated, how long a token of the FastAPI
tutorial lives (fastapi.tiangolo.com/tutorial/security/oauth2-jwt), and no error pages for everybody; nobody else's
services; the first database of a Redis of its own; where to listen, which the server's command says by itself; and
where mail is handed in (RFC 6409: port 587, RFC 3207: STARTTLS)."""


def usual_value(name: str) -> str:
    """What a variable of this name may well have; empty when only its owner can say."""
    return next((value for pattern, value in _USUAL if pattern.fullmatch(name.upper()[:100])), "")
