"""What the name of an environment variable says about it."""

from __future__ import annotations

import re

from underway.terms.environment import PUBLIC_PREFIXES

_DB = r"(?:POSTGRES|POSTGRESQL|PG|PSQL|DB|DATABASE|SQL|SQLALCHEMY|RDS|DATABASES|DATABASE_DEFAULT|DB_DEFAULT)"
_LEAD = r"(?:(?!TEST|REPLICA|READ|LEGACY|OLD|EXTERNAL|MONGO|MYSQL|REDIS|SQLITE|NEO4J|VECTOR|GEO)[A-Z0-9]+_+){0,3}?"
_DB_URL = re.compile(
    rf"{_LEAD}{_DB}(?:_+(?!TEST)[A-Z0-9]+)?_*_(?:URL|URI|DSN|CONNECTION|CONNECTION_STRING)"
    r"(?:_(?:EXTERNAL|INTERNAL|DIRECT|POOLED|UNPOOLED|NON_POOLING|NO_SSL|MIGRATIONS?))?|(?:POSTGRES_)?DIRECT_URL"
)
_PARTS = {
    "host": ("HOST", "HOSTNAME", "SERVER", "ADDRESS", "ADDR", "ENDPOINT"),
    "port": ("PORT",),
    "user": ("USER", "USERNAME", "USER_NAME", "LOGIN"),
    "password": ("PASS", "PASSWORD", "PWD", "PASSWD", "PSW", "PSWD", "USER_PASSWORD", "USER_PASS"),
    "database": ("NAME", "DB", "DATABASE", "DBNAME", "DB_NAME", "DATABASE_NAME", "BASE"),
}
_PART = "|".join(word for words in _PARTS.values() for word in words)
_DB_PART = re.compile(rf"{_LEAD}({_DB})_*(?:(?:DEFAULT|MAIN|MASTER|PRIMARY|WRITER?)_*)?({_PART})")
_REDIS_URL = re.compile(
    r"(?:[A-Z0-9]+_+){0,3}?(?:REDIS(?:TOGO|CLOUD|GREEN)?|VALKEY|CACHE|BROKER|CELERY_BROKER|CELERY_RESULT|CELERY|RQ|QUEUE|CHANNELS?|CHANNEL_LAYERS?)"
    r"(?:_+[A-Z0-9]+)*_*(?:URL|URI|DSN|BACKEND|LOCATION)"
)
_REDIS_PART = re.compile(
    r"(?:[A-Z0-9]+_+){0,2}?(?:REDIS|VALKEY)(?:_[A-Z0-9]+){0,2}?_*(HOST|HOSTNAME|SERVER|ADDRESS|PORT|PASSWORD|PASS)"
    r"|(?:CACHE|BROKER|CELERY_BROKER|QUEUE)_(HOST|HOSTNAME|SERVER|PORT|PASSWORD|PASS)"
)
_ENGINE = re.compile(
    r"(?:[A-Z0-9]+_)*(?:DB|DATABASE|SQL|POSTGRES)_(?:ENGINE|BACKEND|TYPE|DIALECT|DRIVER|CLIENT|CONNECTION)"
)

_HOSTS = re.compile(r"(?:[A-Z0-9]+_)*(?:ALLOWED_HOSTS?|TRUSTED_HOSTS?)")
_ORIGINS = re.compile(
    r"(?:[A-Z0-9]+_)*(?:CSRF_TRUSTED_ORIGINS?|CORS_(?:ALLOWED_)?ORIGINS?|CORS_ORIGIN(?:S)?(?:_WHITELIST)?"
    r"|ALLOWED_ORIGINS?|ALLOW_ORIGINS?|CORS_ALLOW_ORIGINS?)"
)
_URL = re.compile(
    r"(?:FRONTEND|SITE|BASE|PUBLIC|APP|SERVER|BACKEND|EXTERNAL|ROOT|WEB|CLIENT|NEXTAUTH|BETTER_AUTH)_"
    r"(?:HOST_URL|BASE_URL|PUBLIC_URL|URL|ROOT|ORIGIN)|FRONTEND_HOST|SERVER_HOST|SITE_ROOT|ORIGIN"
)
_DOMAIN = re.compile(
    r"SERVER_NAME|DOMAIN(?:_NAME)?|SITE_HOST(?:NAME)?"
    r"|(?:[A-Z0-9]+_){0,2}?(?:SITE|APP|SERVER|PUBLIC|MAIN|BASE|PRIMARY|ROOT|WEB|DEFAULT|BACKEND|FRONTEND)_DOMAIN(?:_NAME)?"
)

_THIRD = re.compile(
    r"(?:^|_)(?:AWS|S3|MINIO|STRIPE|SENTRY|OPENAI|ANTHROPIC|GOOGLE|GCP|GCS|GITHUB|GITLAB|FACEBOOK|TWITTER|DISCORD|SLACK|TWILIO|"
    r"SENDGRID|MAILGUN|MAILCHIMP|POSTMARK|RESEND|SMTP|EMAIL|MAIL|OAUTH2?|OIDC|SAML|LDAP|AUTH0|OKTA|CLERK|SUPABASE|FIREBASE|"
    r"ALGOLIA|CLOUDINARY|CLOUDFLARE|AZURE|DO|DIGITALOCEAN|HEROKU|PAYPAL|PAYSTACK|FLUTTERWAVE|RAZORPAY|YOOKASSA|BRAINTREE|RECAPTCHA|HCAPTCHA|TURNSTILE|TELEGRAM|BOT|"
    r"ZOOM|LINKEDIN|SPOTIFY|MAPBOX|PLAID|SHOPIFY|PUSHER|VAPID|HUGGINGFACE|HF|COHERE|MISTRAL|PINECONE|LANGCHAIN|REPLICATE|"
    r"MONGO|MONGODB|MYSQL|ELASTIC|ELASTICSEARCH|RABBITMQ|AMQP|KAFKA|CLIENT_ID|CLIENT_SECRET|API_KEY|APIKEY|ACCESS_KEY|"
    r"ACCESS_TOKEN|API_TOKEN|BEARER|WEBHOOK|DSN|TENANT|STORAGE|TENCENT\w*|ALIYUN|OSS|COS|QINIU|BACKBLAZE|B2|WASABI|SPACES|"
    r"MAILJET|SPARKPOST|MAILERSEND|BREVO|RAZORPAY|PAYSTACK|FLUTTERWAVE|MERCADOPAGO|MOLLIE|KHALTI|ESEWA|SSLCOMMERZ|"
    r"ZARINPAL|IYZICO|MIDTRANS|COINBASE)(?:_|$)"
)
_OWN_MAIL = re.compile(
    r"(?:CONFIRM|VERIFY|CHANGE|RESET|VALIDATE)_E?MAIL|E?MAIL_(?:CONFIRM(?:ATION)?|VERIFY|VERIFICATION|CHANGE|VALIDATION)"
)
"""Mail that the app itself sends to check an address: the secret beside it is the app's own."""
_OWN_TOKEN = re.compile(
    r"^(?:JWT_|AUTH_|APP_|TOKEN_)?(?:ACCESS|REFRESH)_TOKEN_(?:SECRET|KEY|SIGN)(?:_KEY)?$"
    r"|^(?:[A-Z0-9]+_+){0,6}?ACCESS_TOKEN_+(?:RESET|VERIF|REFRESH|CONFIRM)\w*_SECRET$"
)
"""Keys that sign the app's own tokens; with another's name before it (`TWITTER_ACCESS_TOKEN_SECRET`) it is theirs."""
_SECRET_KEY = re.compile(
    r"(?:[A-Z0-9]+_+){0,8}?(?:SECRET_?KEY(?:_BASE)?|SECRET|SECRET_(?:HASH|SIGN|SIGNING|CRYPTO|ENCRYPTION)_KEY|JWT_KEY|JWT_SECRET(?:_KEY)?|SESSION_(?:KEY|SECRET)|"
    r"COOKIE_(?:KEY|SECRET)|APP_KEY|SIGNING_KEY|AUTH_SECRET|TOKEN_SECRET|HASH_SECRET|CSRF_(?:KEY|SECRET)|SALT|PEPPER|"
    r"(?:WATCHMAN|HEALTH_?CHECK|METRICS|MONITORING|INTERNAL|CRON)_TOKENS?|SECURITY_PASSWORD_SALT|PASSWORD_SALT|ENCRYPTION_KEY|SECRET_TOKEN|REFRESH_SECRET|ACCESS_SECRET)(?:_\d)?"
)
_PASSWORD = re.compile(r"(?:[A-Z0-9]+_+)*(?:PASSWORD|PASSWD|PASS|PSW)")
_SECRET_LIKE = re.compile(r"(?:^|_)(?:SECRET|TOKEN|KEY|PASSWORD|PASS|PASSWD|PSW|CREDENTIALS?|PRIVATE|DSN)(?:_|$)")

PUBLIC_SECRETS = re.compile(
    r"|change[-_ ]?(this|me|it)?.*|secret.*|.*(insecure|example|replace|placeholder|your[-_ ]|super[-_ ]?secret).*|"
    r".*default.*|dev(elopment)?|test|password|admin|123+4?5?6?7?8?|foo|bar|xxx+|todo|none|<.*>|\.\.\.|local.*|postgres|random.*",
    re.IGNORECASE,
)
"""Secrets that everybody knows: what examples and templates are full of."""


def postgres_part(name: str) -> str:
    """`url`, `host`, `port`, `user`, `password` or `database` when the name means that part; else empty."""
    name = name.upper()
    if len(name) > 100:
        return ""
    if name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"):
        return {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"}.get(name, "database")
    if name == "POSTGRES_DB":
        return "database"
    if _DB_URL.fullmatch(name) and not re.search(r"TEST|REPLICA|REDIS|MONGO|MYSQL|SQLITE", name):
        return "url"
    found = _DB_PART.fullmatch(name)
    if found is None or re.search(r"TEST|REDIS|MONGO|MYSQL|SQLITE", name):
        return ""
    return next((part for part, words in _PARTS.items() if found[2] in words), "")


def redis_part(name: str) -> str:
    """`url`, `host`, `port` or `password` when the name means that part of a Redis address; else empty."""
    name = name.upper()
    if len(name) > 100:
        return ""
    found = _REDIS_PART.fullmatch(name)
    if found is not None:
        return {"PORT": "port", "PASSWORD": "password", "PASS": "password"}.get(found[1] or found[2], "host")
    return "url" if _REDIS_URL.fullmatch(name) else ""


def is_engine(name: str) -> bool:
    return bool(_ENGINE.fullmatch(name.upper()[:100]))


def host_words(name: str) -> str:
    """`hosts`, `origins`, `url` or `host` when the variable takes the app's own names; else empty."""
    name = name.upper()[:100]
    for pattern, words in ((_HOSTS, "hosts"), (_ORIGINS, "origins"), (_URL, "url"), (_DOMAIN, "host")):
        if pattern.fullmatch(name):
            return words
    return ""


_STAGE = re.compile(
    r"(?:FLASK_|QUART_|APP_|FASTAPI_|DJANGO_)?(?:CONFIG(?:_(?:NAME|MODE|TYPE))?|ENV(?:IRONMENT)?|SETTINGS|MODE|STAGE)"
)


def is_stage(name: str) -> bool:
    """True for a variable that chooses between development and production."""
    return bool(_STAGE.fullmatch(name.upper()[:100]))


def is_third_party(name: str) -> bool:
    """True for a key that only somebody else gives out."""
    name = name.upper()[:100]
    return not _OWN_TOKEN.match(name) and bool(_THIRD.search(_OWN_MAIL.sub("", name)))


def is_plain_secret_key(name: str) -> bool:
    """True for the names frameworks give their own key, worth generating even where empty is allowed."""
    return bool(
        re.fullmatch(
            r"(?:(?:DJANGO|FLASK|APP|JWT|SESSION|AUTH|COOKIE|ACCESS|REFRESH|TOKEN)_){0,4}(?:SECRET|SECRET_KEY)(?:_BASE)?",
            name.upper()[:100],
        )
    )


def is_secret_key(name: str) -> bool:
    """True for a secret that is the app's own: any random value does."""
    if is_in_pages(name):
        return False
    name = name.upper()[:100]
    return bool(_OWN_TOKEN.match(name) or _SECRET_KEY.fullmatch(name)) and not is_third_party(name)


def is_password(name: str) -> bool:
    return not is_in_pages(name) and bool(_PASSWORD.fullmatch(name.upper()[:100]))


def is_secret_like(name: str) -> bool:
    return not is_in_pages(name) and bool(_SECRET_LIKE.search(name.upper()[:100]))


def is_in_pages(name: str) -> bool:
    """True for a name whose value front-end tools write into what everybody can read: none of these is a secret."""
    return name.startswith(PUBLIC_PREFIXES)


def seems_secret(name: str) -> bool:
    """True for a name that says key, token, password or the like: what it holds is to be hard to guess."""
    return is_secret_key(name) or is_password(name) or is_secret_like(name)
