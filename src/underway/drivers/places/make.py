"""From an address to the driver that speaks to it, with its token from the environment or the vault."""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import assert_never

from underway.drivers.places.kubeconfig import read_cluster
from underway.drivers.places.web import Api, Manners
from underway.ports.places import Place
from underway.terms.place import PlaceAddress, PlaceKind
from underway.terms.problem import Problem, Refusal
from underway.terms.secret import Secret

_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@contextlib.asynccontextmanager
async def open_place(
    address: PlaceAddress,
    environ: Mapping[str, str],
    kept: Mapping[str, Secret],
    root: Path,
    manners: Manners | None = None,
) -> AsyncIterator[Place]:
    """The place at `address`, its connection closed at the end. Tokens come from `environ`, then from `kept`.

    Relative files are below `root`. Raises `Refusal` (`place.no-token`, `place.url`, `place.kubeconfig`).
    """
    if address.kind is PlaceKind.FILE:
        from underway.drivers.places.file import FilePlace

        yield FilePlace(address, root)
        return
    manners = manners or Manners()
    if address.kind is PlaceKind.KUBERNETES:
        api = _cluster(address, environ, kept, manners)
    else:
        name, token = _token(address, environ, kept)
        url = environ.get(address.traits.url_setting) or address.traits.url
        plain = {"X-GitHub-Api-Version": "2022-11-28"} if address.kind is PlaceKind.GITHUB else {}
        api = Api(address, url, _headers(address, name, token), manners, plain_headers=plain)
    try:
        yield _place(address, api, manners)
    finally:
        await api.close()


def _place(address: PlaceAddress, api: Api, manners: Manners) -> Place:
    match address.kind:
        case PlaceKind.RENDER:
            from underway.drivers.places.render import RenderPlace

            return RenderPlace(address, api)
        case PlaceKind.VERCEL:
            from underway.drivers.places.vercel import VercelPlace

            return VercelPlace(address, api)
        case PlaceKind.RAILWAY:
            from underway.drivers.places.railway import RailwayPlace

            return RailwayPlace(address, api)
        case PlaceKind.FLY:
            from underway.drivers.places.fly import FlyPlace

            return FlyPlace(address, api)
        case PlaceKind.DOPPLER:
            from underway.drivers.places.doppler import DopplerPlace

            return DopplerPlace(address, api)
        case PlaceKind.SUPABASE:
            from underway.drivers.places.supabase import SupabasePlace

            return SupabasePlace(address, api)
        case PlaceKind.SECRET_MANAGER:
            from underway.drivers.places.google_secrets import GoogleSecretsPlace

            return GoogleSecretsPlace(address, api)
        case PlaceKind.CLOUD_RUN:
            from underway.drivers.places.cloud_run import CloudRunPlace

            return CloudRunPlace(address, api, manners)
        case PlaceKind.GITHUB:
            from underway.drivers.places.github import GithubPlace

            return GithubPlace(address, api)
        case PlaceKind.KUBERNETES:
            from underway.drivers.places.kubernetes import KubernetesPlace

            return KubernetesPlace(address, api)
        case PlaceKind.FILE:
            raise AssertionError("a file has no API")
        case _ as never:
            assert_never(never)


def _token(
    address: PlaceAddress,
    environ: Mapping[str, str],
    kept: Mapping[str, Secret],
    *,
    mounted: Path | None = _IN_CLUSTER / "token",
) -> tuple[str, Secret]:
    names = address.traits.tokens
    given = [(name, environ.get(name, "")) for name in names]
    given += [(name, kept[name].reveal()) for name in names if name in kept]
    if address.kind is PlaceKind.KUBERNETES and mounted is not None and mounted.exists():
        given.append((names[0], mounted.read_text(encoding="ascii")))
    name, text = next(((name, text.strip()) for name, text in given if text.strip()), ("", ""))
    if name and re.fullmatch(r"[\x20-\x7e]+", text):
        return name, Secret(text)
    why = f"there is no {' or '.join(names)} in the environment or the vault"
    if name:
        why = f"{name} holds a line break or other characters that no token has"
    remedy = f"{address.traits.renew}; a token never stands on the command line"
    raise Refusal([Problem(code="place.no-token", where=address.says, why=why, remedy=remedy)])


def _headers(address: PlaceAddress, name: str, token: Secret) -> dict[str, Secret]:
    text = token.reveal()
    if address.kind is PlaceKind.RAILWAY and name == "RAILWAY_TOKEN":
        return {"Project-Access-Token": token}  # docs.railway.com, public API: project tokens
    if address.kind is PlaceKind.FLY and text.startswith("FlyV1 "):
        return {"Authorization": token}  # macaroons bring their own scheme (fly.io/docs/machines/api)
    return {"Authorization": Secret(f"Bearer {text}")}


def _cluster(address: PlaceAddress, environ: Mapping[str, str], kept: Mapping[str, Secret], manners: Manners) -> Api:
    """The variables first, then a kubeconfig file, then the cluster that this runs in. Where the file has no token and
    no certificate that of the variables is sent, never the one that a pod was given."""
    url = environ.get(address.traits.url_setting, "")
    ca_file = environ.get("KUBERNETES_CA_FILE", "")
    cluster = read_cluster(address, environ) if not url else None
    if cluster is not None:
        try:
            tls = cluster.context()
        except (ssl.SSLError, ValueError):
            why = "a certificate or a key of the kubeconfig file is none"
            remedy = "mend the file, or set KUBERNETES_API_URL, KUBERNETES_CA_FILE and KUBERNETES_TOKEN"
            raise Refusal([Problem(code="place.kubeconfig", where=address.says, why=why, remedy=remedy)]) from None
        headers: dict[str, Secret] = {}
        if cluster.token.reveal():
            headers = _headers(address, "", cluster.token)
        elif not cluster.certificate:
            headers = _headers(address, *_token(address, environ, kept, mounted=None))
        return Api(address, cluster.url, headers, manners, tls=tls)
    if not ca_file and (_IN_CLUSTER / "ca.crt").exists():
        ca_file = str(_IN_CLUSTER / "ca.crt")
    name, token = _token(address, environ, kept)
    url = url or _cluster_url(address, environ)
    return Api(address, url, _headers(address, name, token), manners, ca_file=ca_file)


def _cluster_url(address: PlaceAddress, environ: Mapping[str, str]) -> str:
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if host:
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    setting = address.traits.url_setting
    raise Refusal(
        [
            Problem(
                code="place.url",
                where=address.says,
                why=f"{setting} is not set, there is no kubeconfig file, and this is no pod of a cluster",
                remedy=f"set {setting} to the API server, KUBERNETES_CA_FILE to its authority, KUBERNETES_TOKEN",
                command="kubectl cluster-info",
            )
        ]
    )
