"""A cluster by its kubeconfig file: which server is asked, whom it trusts, who asks, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.drivers.places.contract import CONTRACTS
from tests.drivers.places.providers import Kubernetes
from tests.drivers.places.server import TOKEN, serving

from underway.drivers.places.make import open_place
from underway.drivers.places.web import Manners
from underway.terms.place import read_address
from underway.terms.problem import Failure, Refusal
from underway.terms.secret import Secret

pytestmark = pytest.mark.skipif(not CONTRACTS.is_dir(), reason="../shared/contracts is not here")
ADDRESS = read_address("kubernetes:shop/app-env")


def made(name: str, by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None) -> tuple[Any, Any]:
    """A certificate and its key: an authority's own, or one that `by` signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[0].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(by[1] if by else key, hashes.SHA256()), key


def pem(certificate: Any) -> bytes:
    return bytes(certificate.public_bytes(serialization.Encoding.PEM))


def key_pem(key: Any) -> bytes:
    kind = serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))


@dataclass
class Home:
    provider: Kubernetes
    url: str
    folder: Path
    authority: bytes
    client: tuple[bytes, bytes]

    def write(self, user: dict[str, object], **cluster: object) -> dict[str, str]:
        """A kubeconfig file with another context before the current one; the environment that names it."""
        served = {"server": self.url, "certificate-authority-data": base64.b64encode(self.authority).decode()}
        text = f"""apiVersion: v1
kind: Config
current-context: shop
contexts:
- context:
    cluster: elsewhere
    user: nobody
  name: other
- name: shop
  context: {{cluster: here, user: ann, namespace: shop}}
clusters:
- cluster:
    server: https://127.0.0.1:1
  name: elsewhere
- name: here
  cluster: {json.dumps({**served, **cluster})}
users:
- name: ann
  user: {json.dumps(user)}
"""
        (self.folder / "config").write_text(text)
        return {"KUBECONFIG": f"{self.folder}/not-there:{self.folder}/config"}

    def push(self, environ: dict[str, str], **values: str) -> dict[str, str]:
        async def run() -> None:
            async with open_place(ADDRESS, environ, {}, self.folder, Manners(timeout_s=5.0, tries=1)) as place:
                told = await place.set({name: Secret(value) for name, value in values.items()})
                assert [each.problem for each in told] == [None] * len(values), told
                await place.held()

        asyncio.run(run())
        return self.provider.state


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    authority = made("authority")
    certificate, key = made("server", authority)
    client = made("ann", authority)
    (tmp_path / "server.pem").write_bytes(pem(certificate) + key_pem(key))
    (tmp_path / "ca.pem").write_bytes(pem(authority[0]))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    tls.load_verify_locations(tmp_path / "ca.pem")
    tls.verify_mode = ssl.CERT_OPTIONAL
    provider = Kubernetes()
    with serving(provider, tls) as url:
        yield Home(provider, url, tmp_path, pem(authority[0]), (pem(client[0]), key_pem(client[1])))
    assert provider.violations == []


def test_a_token_and_an_authority_of_the_file(home: Home) -> None:
    assert home.push(home.write({"token": TOKEN}), A="1") == {"A": "1"}


def test_a_token_in_a_file_beside_it_and_the_default_place(home: Home) -> None:
    home.write({"tokenFile": "token"})
    (home.folder / ".kube").mkdir()
    (home.folder / "config").rename(home.folder / ".kube/config")
    (home.folder / ".kube/token").write_text(TOKEN + "\n")
    assert home.push({"HOME": str(home.folder)}, A="1") == {"A": "1"}


def test_a_client_certificate_says_who_asks(home: Home) -> None:
    data = [base64.b64encode(part).decode() for part in home.client]
    environ = home.write({"client-certificate-data": data[0], "client-key-data": data[1]})
    home.provider.token = None
    assert home.push(environ, A="1") == {"A": "1"}
    assert not any("authorization" in request.headers for request in home.provider.seen)


def test_the_variables_token_where_the_file_has_none(home: Home) -> None:
    environ = home.write({"exec": {"command": "aws", "args": ["eks", "get-token"]}})
    assert home.push({**environ, "KUBERNETES_TOKEN": TOKEN}, A="1") == {"A": "1"}
    with pytest.raises(Refusal) as refused:
        home.push(environ, A="2")
    assert refused.value.problems[0].code == "place.no-token"


def test_a_server_that_the_authority_did_not_sign_gets_nothing(home: Home) -> None:
    other = base64.b64encode(pem(made("other")[0])).decode()
    environ = home.write({"token": TOKEN}, **{"certificate-authority-data": other})
    with pytest.raises(Failure) as failed:
        asyncio.run(_held(environ, home.folder))
    assert failed.value.problem.code == "place.unreachable"
    assert TOKEN not in repr(failed.value.problem)
    assert home.provider.seen == []
    home.push(home.write({"token": TOKEN}), A="1")


async def _held(environ: dict[str, str], folder: Path) -> None:
    async with open_place(ADDRESS, environ, {}, folder, Manners(timeout_s=5.0, tries=1)) as place:
        await place.held()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no current context"),
        ("current-context: x\n", "no current context"),
        ("current-context: x\ncontexts:\n- name: x\n  context: {cluster: c}\n", "no cluster"),
        (
            "current-context: x\ncontexts:\n- {name: x, context: {cluster: c}}\nclusters:\n"
            "- {name: c, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}\n",
            "unchecked",
        ),
        (
            "current-context: x\ncontexts:\n- {name: x, context: {cluster: c}}\nclusters:\n"
            "- {name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: '%%'}}\n",
            "base64",
        ),
        (
            "current-context: x\ncontexts:\n- {name: x, context: {cluster: c}}\nclusters:\n"
            "- {name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority: nowhere.pem}}\n",
            "cannot be read",
        ),
        (
            "current-context: x\ncontexts:\n- {name: x, context: {cluster: c}}\nclusters:\n"
            "- {name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: bm9uZQ==}}\n",
            "certificate",
        ),
    ],
)
def test_a_file_that_does_not_do_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(Refusal) as refused:
        asyncio.run(_held({"KUBECONFIG": f"{tmp_path}/config", "KUBERNETES_TOKEN": TOKEN}, tmp_path))
    (problem,) = refused.value.problems
    assert problem.code == "place.kubeconfig"
    assert why in problem.why
    assert TOKEN not in repr(problem)
