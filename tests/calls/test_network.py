from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.network import network_options, own_network, own_proxies
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.servers.certificates import authority, issue
from tests.support.service import Service


def auth_for(service: Service, **changes: Any) -> BearerAuth:
    return BearerAuth(OAuth2Client("my_api", service.connection(**changes)))


def subjects(context: ssl.SSLContext) -> list[Any]:
    return [certificate["subject"] for certificate in context.get_ca_certs()]


def test_the_connections_own_authority_is_the_only_one(service: Service) -> None:
    auth = auth_for(service, base_url="https://api.example", ca_certificates=authority().certificate)
    context = network_options(auth, {}, None).context
    assert len(subjects(context)) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_bundle_and_a_client_certificate_of_the_caller(service: Service, tmp_path: Path) -> None:
    bundle, client = tmp_path / "ca.pem", tmp_path / "client.pem"
    bundle.write_text(authority("Another CA").certificate)
    issued = issue(authority())
    client.write_text(issued.key + issued.certificate)
    auth = auth_for(service, base_url="https://api.example")
    options = network_options(auth, {"verify": str(bundle), "cert": str(client)}, None)
    assert len(subjects(options.context)) == 1


@pytest.mark.parametrize("option", ["verify", "verify_ssl"])
def test_verification_cannot_be_switched_off(service: Service, option: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        network_options(auth_for(service), {option: False}, None)
    assert caught.value.field == "extra_options"


@pytest.mark.parametrize(
    ("extra_options", "own"),
    [
        (None, {}),
        ({}, {}),
        ({"timeout": 5, "stream": True}, {}),
        ({"verify": "/ca.pem", "cert": None}, {"verify": "/ca.pem"}),
        ({"verify": False}, {"verify": False}),
    ],
)
def test_which_options_make_a_session_of_its_own_necessary(
    extra_options: dict[Any, Any] | None, own: dict[str, Any]
) -> None:
    assert own_network(extra_options) == own


def test_proxies_by_either_name() -> None:
    assert own_proxies({"proxies": {"https": "a"}}) == {"https": "a"}
    assert own_proxies({"proxy": {"https": "b"}}) == {"https": "b"}
    assert own_proxies({}) is None


def test_keep_alive(service: Service) -> None:
    auth = auth_for(service)
    assert network_options(auth, {}, None).socket_options == ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
    options = network_options(auth, {}, (11, 22, 33)).socket_options
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in options
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 11) in options
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 33) in options
