"""HTTPS without being asked for: where a certificate can be had."""

from __future__ import annotations

import pytest

from underway.detect.complete import complete
from underway.detect.model import Machine
from underway.terms.tree import Tree

SITE = Tree(name="shop", paths=("index.html",), texts={"index.html": "<h1>shop</h1>"})


@pytest.mark.parametrize(
    ("http_port", "text", "tls"),
    [
        (80, 'domains = ["shop.example.com"]', "auto"),
        (8080, 'domains = ["shop.example.com"]', "off"),
        (80, "", "off"),
        (80, 'domains = ["shop.example.com"]\ntls = "off"', "off"),
        (80, 'domains = ["shop.example.com"]\ntls = "internal"', "internal"),
    ],
)
def test_a_public_domain_gets_a_certificate_when_the_proxy_is_on_port_80(http_port, text, tls):
    manifest, _ = complete(SITE, Machine(), f"manifest = 1\n{text}\n", http_port=http_port)
    assert manifest.tls == tls
