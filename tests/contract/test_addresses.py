"""Where calls end up: an allow-listed host opens its own address and no other."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.servers.certificates import authority, issue, server_context
from tests.support.servers.proxy import Proxy
from tests.support.servers.scripted import Redirect, ScriptedServer, Text
from tests.support.service import Service
from tests.support.sides import Side

CA = authority()
RESOLVE = socket.getaddrinfo


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What names resolve to; a link-local address is really one of loopback."""
    names: dict[str, str] = {}

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in names:
            return RESOLVE(host, port, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (names[host], port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return names


@pytest.fixture
def api(tmp_path: Any) -> Any:
    with ScriptedServer(server_context(issue(CA, "api.example"), tmp_path)) as server:
        yield server


def hook_of(service: Service, api: ScriptedServer) -> OAuth2Hook:
    connection = service.connection(
        base_url=f"https://api.example:{api.port}", ca_certificates=CA.certificate
    )
    return OAuth2Hook(method="GET", connection=connection)


@pytest.mark.fault("F23")
@pytest.mark.parametrize(
    "target",
    [
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://metadata.example/",
        "https://100.100.100.200/",
    ],
)
def test_a_listed_host_does_not_lead_to_other_addresses(
    side: Side,
    service: Service,
    api: ScriptedServer,
    addresses: dict[str, str],
    target: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "api.example")
    addresses.update({"api.example": "127.0.0.1", "metadata.example": "169.254.169.254"})
    api.script(Redirect(target))
    with pytest.raises((ConfigurationError, ResourceError), match="address that no server has"):
        side.run(hook_of(service, api), "x")
    assert len(api.requests) == 1


@pytest.mark.fault("F23")
@pytest.mark.parametrize("target", ["https://169.254.169.254/latest", "https://[fe80::1]/"])
def test_nor_by_a_proxy(
    side: Side, service: Service, proxy: Proxy, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a proxy is asked to connect to, no socket of ours sees."""
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with ScriptedServer(server_context(issue(CA), tmp_path)) as api:
        api.script(Redirect(target))
        connection = service.connection(base_url=api.url, ca_certificates=CA.certificate)
        with pytest.raises(ResourceError, match="address that no server has"):
            side.run(OAuth2Hook(method="GET", connection=connection), "x")
        assert len(api.requests) == 1
    assert "CONNECT 127.0.0.1" in proxy.log
    assert "169.254" not in proxy.log
    assert "fe80" not in proxy.log


@pytest.mark.fault("F23")
@pytest.mark.parametrize("listed", ["api.example", ""], ids=["listed", "not-listed"])
def test_a_listed_host_may_have_a_link_local_address(
    side: Side,
    service: Service,
    api: ScriptedServer,
    addresses: dict[str, str],
    listed: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", listed)
    addresses["api.example"] = "169.254.10.10"
    api.script(Text(200))
    connects: list[Any] = []
    connect = socket.socket.connect_ex

    def to_loopback(self: socket.socket, address: Any) -> int:
        connects.append(address)
        return connect(self, ("127.0.0.1", address[1]) if address[0] == "169.254.10.10" else address)

    def to_loopback_too(self: socket.socket, address: Any) -> None:
        connects.append(address)
        return plain(self, ("127.0.0.1", address[1]) if address[0] == "169.254.10.10" else address)

    plain = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect_ex", to_loopback)
    monkeypatch.setattr(socket.socket, "connect", to_loopback_too)
    if listed:
        assert side.run(hook_of(service, api), "x").status_code == 200
        assert ("169.254.10.10", api.port) in connects
    else:
        with pytest.raises(ConfigurationError):
            side.run(hook_of(service, api), "x")
        assert api.requests == []
