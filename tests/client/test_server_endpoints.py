"""Where a client may ask about its tokens, and where not; ``test_token_services.py`` has the rest."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.client.server_endpoints import (
    discovered_url,
    given_url,
    require_authentication,
)
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.protocol.configured_server import Issuer
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.introspection import INTROSPECTION
from airflow_oauth_provider.protocol.token.revocation import REVOCATION
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from airflow_oauth_provider.transport.stopping import NEVER, Stop, TaskStoppedError
from tests.support.builders import settings
from tests.support.servers.scripted import Json, ScriptedServer, Text


def refused(address: Any, policy: Policy | None = None) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        given_url(settings(), policy or Policy(), address, INTROSPECTION)
    assert caught.value.field == "endpoint"
    return caught.value


@pytest.mark.parametrize(
    "address",
    ["https://idp.example/about", "idp.example/about", "  https://idp.example/about "],
)
def test_the_token_urls_own_host_needs_no_list(address: str) -> None:
    assert str(given_url(settings(), Policy(), address, INTROSPECTION)) == "https://idp.example/about"


def test_another_host_must_be_listed() -> None:
    policy = Policy(token_hosts=("*.other.example",))
    url = given_url(settings(), policy, "https://a.other.example/i", INTROSPECTION)
    assert url.origin.authority == "a.other.example"
    error = refused("https://elsewhere.example/i", policy)
    assert "is on elsewhere.example" in str(error)
    assert "[oauth2] allowed_token_hosts of airflow.cfg" in str(error)


def test_an_external_credential_narrows_the_list() -> None:
    policy = Policy(token_hosts=("idp.example",), token_hosts_in='credentials ("hosts" of orders)')
    assert 'credentials ("hosts" of orders)' in str(refused("https://elsewhere.example/i", policy))


@pytest.mark.parametrize("address", ["", "  ", None, 7])
def test_a_missing_address_names_the_endpoint(address: Any) -> None:
    assert "is missing: give the address of the server's introspection endpoint" in str(refused(address))


@pytest.mark.parametrize("address", ["http://idp.example/i", "https://me:pw-1@idp.example/i", "https://"])
def test_what_is_no_safe_address_is_refused(address: str) -> None:
    assert "pw-1" not in str(refused(address))


def test_a_profile_leaves_the_metadata_only() -> None:
    """Also for the address that would be right without it."""
    given = settings(auth_method="private_key_jwt", profile="fapi2")
    with pytest.raises(ConfigurationError, match=r"cannot be given: .*FAPI 2\.0") as caught:
        given_url(given, Policy(), "https://idp.example/about", INTROSPECTION)
    assert caught.value.field == "endpoint"


def test_a_custom_provider_proves_identity_nowhere() -> None:
    with pytest.raises(ConfigurationError, match="the revocation is not possible") as caught:
        require_authentication(settings(auth_method="custom"), REVOCATION)
    assert caught.value.field == "auth_method"
    require_authentication(settings(), REVOCATION)


class TestDiscovery:
    """The address that an issuer's metadata names."""

    @pytest.fixture
    def given(self, scripted: ScriptedServer) -> ClientSettings:
        return settings(server=Issuer(parse_url(scripted.url), scripted.url, ()))

    def document(self, scripted: ScriptedServer, **members: Any) -> None:
        base = {"issuer": scripted.url, "token_endpoint": f"{scripted.url}/token"}
        scripted.script(Json({**base, **members}))

    def located(self, given: ClientSettings, sharing: Sharing, stop: Stop = NEVER) -> str:
        budget = Budget.of(this_moment(), 5.0)
        return str(discovered_url(given, sharing, INTROSPECTION, budget, stop=stop))

    def test_it_is_fetched_once_and_remembered(self, scripted: ScriptedServer, given: ClientSettings) -> None:
        self.document(scripted, introspection_endpoint=f"{scripted.url}/about")
        sharing = Sharing(MemoryStore())
        assert self.located(given, sharing) == f"{scripted.url}/about"
        assert self.located(given, sharing) == f"{scripted.url}/about"
        assert len(scripted.requests) == 1

    def test_metadata_that_does_not_name_it(self, scripted: ScriptedServer, given: ClientSettings) -> None:
        self.document(scripted)
        with pytest.raises(ConfigurationError, match="is missing"):
            self.located(given, Sharing(MemoryStore()))

    def test_an_issuer_that_is_down(self, scripted: ScriptedServer, given: ClientSettings) -> None:
        scripted.script(Text(503))
        with pytest.raises(TransportError):
            self.located(given, Sharing(MemoryStore()))

    def test_a_warning_is_logged(
        self, scripted: ScriptedServer, given: ClientSettings, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.document(
            scripted,
            introspection_endpoint=f"{scripted.url}/about",
            token_endpoint_auth_methods_supported=["none"],
        )
        self.located(given, Sharing(MemoryStore()))
        assert "does not offer client_secret_basic, but none" in caplog.text

    def test_a_killed_task_leaves_it(self, scripted: ScriptedServer, given: ClientSettings) -> None:
        self.document(scripted)
        stop = Stop()
        stop.stop()
        with pytest.raises(TaskStoppedError):
            self.located(given, Sharing(MemoryStore()), stop)

    def test_a_configured_token_endpoint_names_no_other(self) -> None:
        with pytest.raises(ConfigurationError, match="is missing"):
            self.located(settings(), Sharing(MemoryStore()))
