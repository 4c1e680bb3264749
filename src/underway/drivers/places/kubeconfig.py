"""Where a cluster is and who asks it, from a kubeconfig file (kubernetes.io/docs/concepts/configuration).

No program that the file names (`exec`, `auth-provider`) is run, and no certificate is left unchecked.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from underway.detect.yamlish import Node, read_yaml
from underway.terms.place import PlaceAddress
from underway.terms.problem import Problem, Refusal
from underway.terms.secret import Secret

_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Cluster:
    """The API server, the authority's certificates as PEM (empty: the system's), a token or a certificate with its
    key as PEM (empty: none)."""

    url: str
    authority: str = ""
    token: Secret = field(default_factory=lambda: Secret(""))
    certificate: str = ""
    key: Secret = field(default_factory=lambda: Secret(""))

    def context(self) -> ssl.SSLContext | None:
        """Verified TLS with these certificates; None where the system's will do. Raises `ssl.SSLError`."""
        if not self.authority and not self.certificate:
            return None
        context = ssl.create_default_context(cadata=self.authority or None)
        if self.certificate:
            with tempfile.TemporaryDirectory() as folder:  # OpenSSL takes a key from a file only
                both = Path(folder) / "pair"
                descriptor = os.open(both, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as stream:
                    stream.write(f"{self.certificate}\n{self.key.reveal()}\n")
                context.load_cert_chain(both)
        return context


def read_cluster(address: PlaceAddress, environ: Mapping[str, str]) -> Cluster | None:
    """The cluster of the current context, None where there is no kubeconfig file.

    The first file of `KUBECONFIG` that is there, else `~/.kube/config`. Raises `Refusal` (`place.kubeconfig`).
    """
    path = _path(environ)
    if path is None:
        return None
    try:
        text = path.read_bytes()[:_MOST_BYTES].decode("utf-8", "replace")
    except OSError as error:
        raise _refusal(address, path, error.strerror or "it cannot be read") from None
    config = read_yaml(text)
    context = _named(config, "contexts", "context", config.at("current-context").text)
    if context is None:
        raise _refusal(address, path, "it has no current context", "kubectl config use-context NAME")
    cluster = _named(config, "clusters", "cluster", context.at("cluster").text)
    user = _named(config, "users", "user", context.at("user").text) or Node(1)
    if cluster is None or not cluster.at("server").text:
        raise _refusal(address, path, "its current context names no cluster with a server")
    if cluster.at("insecure-skip-tls-verify").text == "true":
        raise _refusal(address, path, "it leaves the server's certificate unchecked, which sends a token to anybody")
    return Cluster(
        url=cluster.at("server").text,
        authority=_content(cluster, "certificate-authority", address, path),
        token=Secret(user.at("token").text or _token_file(user, address, path)),
        certificate=_content(user, "client-certificate", address, path),
        key=Secret(_content(user, "client-key", address, path)),
    )


def _path(environ: Mapping[str, str]) -> Path | None:
    named = [each for each in environ.get("KUBECONFIG", "").split(os.pathsep) if each]
    if not named and environ.get("HOME"):
        named = [f"{environ['HOME']}/.kube/config"]
    return next((Path(each) for each in named if Path(each).is_file()), None)


def _named(config: Node, group: str, key: str, name: str) -> Node | None:
    return next((each.at(key) for each in config.at(group).items if name and each.at("name").text == name), None)


def _content(node: Node, key: str, address: PlaceAddress, path: Path) -> str:
    """PEM from `KEY-data`, or from the file that `KEY` names; a relative one is beside the kubeconfig."""
    if data := node.at(f"{key}-data").text:
        try:
            return base64.b64decode(data, validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            raise _refusal(address, path, f"its {key}-data is no PEM in base64") from None
    if not (named := node.at(key).text):
        return ""
    return _file(path.parent / named, key, address, path)


def _token_file(user: Node, address: PlaceAddress, path: Path) -> str:
    named = user.at("tokenFile").text
    return _file(path.parent / named, "tokenFile", address, path).strip() if named else ""


def _file(file: Path, key: str, address: PlaceAddress, path: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="ascii")
    raise _refusal(address, path, f"the file that its {key} names cannot be read")


def _refusal(address: PlaceAddress, path: Path, why: str, command: str = "kubectl config view") -> Refusal:
    remedy = "mend it, or set KUBERNETES_API_URL, KUBERNETES_CA_FILE and KUBERNETES_TOKEN"
    problem = Problem(code="place.kubeconfig", where=f"{address.says}: {path}", why=why, remedy=remedy, command=command)
    return Refusal([problem])
