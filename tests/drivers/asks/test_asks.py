"""Monitors ask real servers, and refuse to ask what only this machine can reach."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from underway.drivers.asks.asks import Asking
from underway.drivers.asks.certificate import ends_at
from underway.drivers.clock.system import SystemClock
from underway.drivers.net import is_public
from underway.manifest.monitor import MonitorKeys
from underway.manifest.smoke import Expect
from underway.ports.asks import OwnAsk
from underway.terms.monitor import Checked
from underway.terms.secret import Secret

ASKS = Asking(SystemClock())


def check(monitor: MonitorKeys, values: dict[str, Secret] | None = None) -> Checked:
    return asyncio.run(ASKS.ask(monitor, values or {}))


@contextlib.asynccontextmanager
async def answering(answer: Callable[[bytes], bytes], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that answers what it is sent; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while sent := await reader.read(65_536):
                writer.write(answer(sent))
                await writer.drain()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def asked(kind: str, target: str, answer: Callable[[bytes], bytes], **keys: object) -> Checked:
    """`target` with `PORT` for that of a server which gives `answer`."""

    async def ask() -> Checked:
        async with answering(answer) as port:
            there = target.replace("PORT", str(port))
            return await ASKS.ask(MonitorKeys(name="it", kind=kind, target=there, private=True, **keys), {})

    return asyncio.run(ask())


def page(status: str, body: str) -> Callable[[bytes], bytes]:
    return lambda _: f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_a_page_is_asked_for_its_status_its_text_and_its_json() -> None:
    ok = page("200 OK", '{"status": "ok", "items": [{"id": 7}]}')
    here = "http://127.0.0.1:PORT/health?deep=1"
    assert asked("http", here, ok).passed
    assert asked("http", here, ok, expect=Expect(text=("ok",), json={"items[0].id": "7"})).passed
    assert asked("http", here, ok, expect=Expect(json={"status": '"down"'})).came == 'status is "ok", not "down"'
    assert asked("http", here, ok, expect=Expect(text=("Welcome",))).came == 'the text "Welcome" is not in the body'
    assert asked("http", here, page("503 No", "")).came == "status 503, not 200-299"
    assert asked("http", here, lambda _: b"no http at all\r\n\r\n").came.startswith("no answer: not an HTTP answer")


def test_nobody_there_is_told_in_words() -> None:
    assert check(MonitorKeys(name="it", kind="tcp", target="127.0.0.1:1", private=True)).came == "connection refused"
    assert not check(MonitorKeys(name="it", kind="tcp", target="no port here")).passed


def test_a_server_that_never_answers_is_given_up_at_its_time() -> None:
    found = asked("http", "http://127.0.0.1:PORT/", lambda _: b"", timeout_s=0.2)
    assert "within 0.2 s" in found.came


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("http", "http://127.0.0.1:PORT/"),
        ("http", "http://localhost:PORT/"),
        ("http", "http://[::1]:PORT/"),
        ("http", "http://[::ffff:127.0.0.1]:PORT/"),
        ("http", "http://169.254.169.254/latest/meta-data/"),
        ("http", "http://2130706433:PORT/"),
        ("http", "http://0.0.0.0:PORT/"),
        ("tcp", "10.0.0.1:22"),
        ("tcp", "127.0.0.1:PORT"),
        ("postgres", "postgresql://127.0.0.1:PORT/shop"),
        ("redis", "redis://192.168.1.1:PORT"),
    ],
)
def test_private_addresses_are_refused_unless_allowed(kind: str, target: str) -> None:
    """Nothing reaches the server: what a manifest names cannot be what only the agent can reach (SSRF)."""
    reached: list[bytes] = []

    async def ask() -> Checked:
        async with answering(lambda sent: reached.append(sent) or b"") as port:
            monitor = MonitorKeys(name="it", kind=kind, target=target.replace("PORT", str(port)), timeout_s=5)
            return await ASKS.ask(monitor, {})

    found = asyncio.run(ask())
    assert "which is private" in found.came
    assert not reached


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
    ],
)
def test_what_counts_as_private(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_count_as_such() -> None:
    assert all(is_public(each) for each in ("1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"))


def test_a_redirect_to_a_private_place_is_not_followed() -> None:
    sent_on = page("302 Found\r\nLocation: http://169.254.169.254/", "")
    assert "status 302" in asked("http", "http://127.0.0.1:PORT/", sent_on).came


def test_redis_answers_a_ping_and_a_wrong_password_is_told_without_it() -> None:
    assert asked("redis", "redis://127.0.0.1:PORT", lambda _: b"+PONG\r\n").passed
    assert asked("redis", "redis://127.0.0.1:PORT", lambda _: b"-NOAUTH Authentication required.\r\n").passed
    assert asked("redis", "redis://127.0.0.1:PORT", lambda _: b"-LOADING\r\n").came == "the server says: LOADING"

    async def with_password() -> Checked:
        async with answering(lambda sent: b"-WRONGPASS no " + sent) as port:
            monitor = MonitorKeys(name="it", kind="redis", target=f"redis://:${{KEY}}@127.0.0.1:{port}", private=True)
            return await ASKS.ask(monitor, {"KEY": Secret("s3cret-4711")})

    found = asyncio.run(with_password())
    assert "WRONGPASS" in found.came
    assert "4711" not in found.came


def test_postgres_that_starts_up_or_is_none_is_told() -> None:
    asks_for_password = b"R\x00\x00\x00\x08\x00\x00\x00\x03"
    assert asked("postgres", "postgresql://shop@127.0.0.1:PORT/shop", lambda _: asks_for_password).passed
    words = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"
    error = b"E" + (len(words) + 4).to_bytes(4, "big") + words
    starting = asked("postgres", "127.0.0.1:PORT", lambda _: error)
    assert starting.came == "the server says: the database system is starting up"
    assert asked("postgres", "127.0.0.1:PORT", lambda _: b"HTTP/1.1 400").came == "what answers is no PostgreSQL"


def test_names_are_looked_up() -> None:
    assert check(MonitorKeys(name="it", kind="dns", target="localhost", answer="127.0.0.1")).passed
    assert "not to 192.0.2.1" in check(MonitorKeys(name="it", kind="dns", target="localhost", answer="192.0.2.1")).came
    lost = check(MonitorKeys(name="it", kind="dns", target="no-such-name.invalid"))
    assert (lost.passed, lost.is_ours) == (False, True)


def test_a_command_passes_with_exit_code_0_and_its_last_line_is_told_otherwise() -> None:
    assert check(MonitorKeys(name="it", kind="command", target="true")).passed
    assert check(MonitorKeys(name="it", kind="command", target="echo queue is long; exit 3")).came == (
        "exit code 3: queue is long"
    )
    assert "within 0.3 s" in check(MonitorKeys(name="it", kind="command", target="sleep 60", timeout_s=0.3)).came


def test_a_target_without_its_variable_is_not_asked() -> None:
    assert check(MonitorKeys(name="it", target="https://${HOST}/")).came == "${HOST} has no value"


def certificate(folder: Path, days: int) -> ssl.SSLContext:
    """A server's TLS with a certificate of its own that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_a_certificate_nobody_vouches_for_fails_and_its_end_is_read_where_the_app_is_ours(tmp_path: Path) -> None:
    async def ask() -> tuple[Checked, Checked, float]:
        async with (
            answering(page("200 OK", ""), certificate(tmp_path, 9)) as port,
            answering(page("200 OK", "")) as plain,
        ):
            stranger = MonitorKeys(name="it", target=f"https://127.0.0.1:{port}/", private=True)
            own = OwnAsk(port=plain, host="shop.example.com", path="/", status="200", certificate_port=port)
            return await ASKS.ask(stranger, {}), await ASKS.ask_own(own), await ends_at("127.0.0.1", port, "x", 5)

    stranger, own, until = asyncio.run(ask())
    assert stranger.came.startswith("no answer: certificate: self")
    assert own.passed
    assert own.certificate_until == until
    assert 8 < (until - datetime.now(UTC).timestamp()) / 86_400 < 10


def test_a_machine_is_offline_when_none_of_its_references_answers() -> None:
    async def ask() -> tuple[bool, bool, bool]:
        async with answering(lambda _: b"") as port:
            there, nobody = f"127.0.0.1:{port}", "127.0.0.1:1"
            found = [await ASKS.is_offline(each) for each in ((nobody,), (nobody, there), ())]
            return found[0], found[1], found[2]

    assert asyncio.run(ask()) == (True, False, False)
