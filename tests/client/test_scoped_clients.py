"""One client for each set of scopes, and not more than are of use."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.client.scoped_clients import MAX_CLIENTS, ScopedClients
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.transport.stopping import Stop
from tests.support.service import Service


def clients_of(service: Service) -> ScopedClients:
    return ScopedClients(OAuth2Client("my_api", service.connection(tenants=["beta"])))


def test_each_set_has_one(service: Service) -> None:
    clients = clients_of(service)
    sets = [(("a",), None), (("a", "b"), None), (("a",), "beta"), ((), "beta")]
    made = [clients.client_for(*chosen) for chosen in sets]
    assert len({*made, clients.client}) == 5
    assert [clients.client_for(*chosen) for chosen in sets] == made
    assert clients.client_for(()) is clients.client_for((), "") is clients.client


def test_the_oldest_goes_where_there_are_many(service: Service) -> None:
    clients = clients_of(service)
    first = clients.client_for(("0",))
    for number in range(MAX_CLIENTS):
        last = clients.client_for((str(number),))
    assert clients.client_for(("0",)) is first
    clients.client_for(("one-more",))
    assert len(clients._clients) == MAX_CLIENTS
    assert clients.client_for((str(MAX_CLIENTS - 1),)) is last
    assert clients.client_for(("0",)) is not first


def test_they_stop_as_their_user_does(service: Service) -> None:
    clients = clients_of(service)
    client = clients.client_for(("a",))
    clients.client.stop = Stop()  # what a task puts there later
    assert clients.client_for(("a",)) is client
    assert client.stop is clients.client.stop


def test_what_cannot_be_meant_is_not_kept(service: Service) -> None:
    clients = clients_of(service)
    for scopes, tenant in ((("a\0",), None), ((), "a.b"), ((), ["beta"]), ((), 7)):
        with pytest.raises(ConfigurationError):
            clients.client_for(scopes, tenant)  # type: ignore[arg-type]
    assert clients._clients == {}
