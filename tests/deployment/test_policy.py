from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest

from airflow_oauth_provider.deployment import policy
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.tokens.stores import Reach

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


def test_connections_that_are_lent(read: Read) -> None:
    assert read_policy().lent_connections == ()
    policy = read(lent_connections=" one , two/three,")
    assert policy.lent_connections == ("one", "two/three")
    policy.require_lent("two/three")
    with pytest.raises(ConfigurationError, match='"lent_connections = one, two/three, four"') as refused:
        policy.require_lent("four")
    assert (refused.value.field, refused.value.conn_id) == ("lent_connections", "four")
    read(lent_connections="*").require_lent("any")
