from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from airflow_oauth_provider.deployment import policy
from airflow_oauth_provider.deployment.credentials import parse_credentials
from airflow_oauth_provider.deployment.policy import Policy, policy_as_read, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.credential_sources import ExternalSource
from airflow_oauth_provider.tokens.stores import Reach
from tests.support.builders import settings
from tests.support.confidential import assert_nothing_confidential

KEY = base64.b64encode(b"k" * 32).decode()


Read = Callable[..., Policy]


def test_nothing_said() -> None:
    policy = read_policy()
    assert (policy.token_hosts, policy.api_hosts, policy.proxies) == ((), (), ())
    assert (policy.custom_providers, policy.allow_unverified_tls, policy.default_category) == (
        {},
        False,
        None,
    )
    assert policy.sharing.store.reach is Reach.HOST
    assert policy.sharing.keys == ()
    assert policy.sharing.history_days == 7


def test_all_said(read: Read) -> None:
    policy = read(
        allowed_token_hosts=" idp.example , *.idp.example:8443,",
        allowed_api_hosts="api.example",
        allowed_proxies="proxy.example:3128",
        custom_providers='{"corp": "company.tokens.fetch"}',
        allow_unverified_tls="True",
        default_category="sales",
        token_store="memory",
        store_key=f"{KEY}, {KEY}",
    )
    assert policy.token_hosts == ("idp.example", "*.idp.example:8443")
    assert (policy.api_hosts, policy.proxies) == (("api.example",), ("proxy.example:3128",))
    assert policy.custom_providers == {"corp": "company.tokens.fetch"}
    assert (policy.allow_unverified_tls, policy.default_category) == (True, "sales")
    assert policy.sharing.store.reach is Reach.PROCESS
    assert len(policy.sharing.keys) == 2


def test_it_is_read_anew_when_the_environment_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_policy()
    assert read_policy() is before
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_PROXIES", "proxy.example")
    assert read_policy().proxies == ("proxy.example",)


def test_it_is_read_anew_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_policy()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + policy.GOOD_FOR - 1)
    assert read_policy() is before
    monkeypatch.setattr(time, "monotonic", lambda: now + policy.GOOD_FOR + 1)
    assert read_policy() is not before


def test_who_masks_calls_nobody_once_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    policy.forget_policy()
    before = policy_as_read()
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_PROXIES", "proxy.example")
    assert policy_as_read() is before
    assert read_policy() is policy_as_read() is not before


def test_an_option_that_is_malformed_gives_no_other_away(read: Read) -> None:
    with pytest.raises(ConfigurationError, match="credentials") as caught:
        read(store_key=KEY, credentials="{")
    assert_nothing_confidential(caught.value, [KEY])


class TestWhatAClientMay:
    """By where its credential comes from."""

    LISTED = Policy(
        token_hosts=("*.example",),
        credentials=parse_credentials(
            '{"erp": {"env": "ERP", "hosts": ["idp.example"], "client_ids": ["x"], "api_hosts": ["a.test"]}}'
        ),
    )

    def test_with_a_credential_of_the_connection(self) -> None:
        assert self.LISTED.for_client(settings()) is self.LISTED

    def test_with_an_external_one(self) -> None:
        narrowed = self.LISTED.for_client(settings(external=ExternalSource("erp", "env")))
        assert (narrowed.token_hosts, narrowed.api_hosts) == (("idp.example",), ("a.test",))

    @pytest.mark.parametrize(
        "now", [Policy(), replace(LISTED, api_hosts=("other.example",))], ids=["gone", "nothing-in-common"]
    )
    def test_with_one_that_is_allowed_no_more(self, now: Policy) -> None:
        with pytest.raises(ConfigurationError, match='does not allow the use of "erp" any more'):
            now.for_client(settings(external=ExternalSource("erp", "env")))


def test_connections_that_are_lent(read: Read) -> None:
    assert read_policy().lent_connections == ()
    policy = read(lent_connections=" one , two/three,")
    assert policy.lent_connections == ("one", "two/three")
    policy.require_lent("two/three")
    with pytest.raises(ConfigurationError, match='"lent_connections = one, two/three, four"') as refused:
        policy.require_lent("four")
    assert (refused.value.field, refused.value.conn_id) == ("lent_connections", "four")
    read(lent_connections="*").require_lent("any")
