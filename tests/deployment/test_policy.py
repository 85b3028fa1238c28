from __future__ import annotations

import base64
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import conf

from airflow_oauth_provider.deployment import policy
from airflow_oauth_provider.deployment.options import OPTIONS
from airflow_oauth_provider.deployment.policy import Policy, read_policy, shortest_masked
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.tokens.stores import Reach

KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    for option in OPTIONS:
        monkeypatch.delenv(f"AIRFLOW__OAUTH2__{option.upper()}", raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **options: str) -> Policy:
    for option, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__OAUTH2__{option.upper()}", value)
    return read_policy()


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


def test_all_said(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = read(
        monkeypatch,
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


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("allowed_token_hosts", "https://idp.example"),
        ("allowed_api_hosts", "a.example, *"),
        ("allowed_proxies", "user:the-password@proxy.example"),
        ("custom_providers", "the-password"),
        ("custom_providers", '["the-password"]'),
        ("custom_providers", '{"a": 1}'),
        ("allow_unverified_tls", "the-password"),
        ("token_store", "/the-password"),
        ("token_store", "redis://:the-password@host:port/0"),
        ("store_key", "the-password"),
        ("store_key", base64.b64encode(b"the-password").decode()),
        ("history_days", "the-password"),
        ("history_days", "-1"),
        ("history_days", "91"),
        ("history_days", "7.5"),
        ("history_days", "9" * 5000),
    ],
)
def test_what_is_malformed_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(monkeypatch, **{option: value})
    assert caught.value.field == option
    assert f"[oauth2] {option}" in str(caught.value)
    error: Any = caught.value
    while error is not None:
        assert "the-password" not in str(error)
        error = error.__cause__ or error.__context__


@pytest.mark.fault("F66")
@pytest.mark.parametrize(("value", "shortest"), [("9", 9), ("x", 5), (None, 5)])
def test_the_shortest_secret_that_airflow_masks(
    monkeypatch: pytest.MonkeyPatch, value: str | None, shortest: int
) -> None:
    if value is not None:
        monkeypatch.setenv("AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET", value)
    assert shortest_masked() == shortest


@pytest.mark.fault("F18", "F27")
@pytest.mark.parametrize("option", ["token_store", "store_key", "allowed_token_hosts", "custom_providers"])
def test_a_percent_sign_is_named_without_the_value(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(f"AIRFLOW__OAUTH2__{option.upper()}", raising=False)
    conf.read_string(f"[oauth2]\n{option} = redis://:pa%55word@h\n")
    try:
        with pytest.raises(ConfigurationError, match="%%") as caught:
            read_policy()
    finally:
        conf.remove_option("oauth2", option)
    assert caught.value.field == option
    assert "pa%55word" not in "".join(traceback.format_exception(caught.value))


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


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("credentials", '{"erp": {"env": "ERP_SECRET-of-somebody"}}'),
        ("credentials", "{"),
        ("assertion_folders", "/"),
        ("assertion_folders", "run/tokens"),
        ("assertion_folders", "/run/tokens/../secrets"),
    ],
)
def test_where_credentials_lie_is_checked(option: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(monkeypatch, **{option: value})
    assert caught.value.field == option
    assert value not in str(caught.value)


def test_folders_of_assertions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, assertion_folders=" /run/a , /run/b/,").assertion_folders == (
        "/run/a",
        "/run/b/",
    )


def test_connections_that_are_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_policy().lent_connections == ()
    policy = read(monkeypatch, lent_connections=" one , two/three,")
    assert policy.lent_connections == ("one", "two/three")
    policy.require_lent("two/three")
    with pytest.raises(ConfigurationError, match='"lent_connections = one, two/three, four"') as refused:
        policy.require_lent("four")
    assert (refused.value.field, refused.value.conn_id) == ("lent_connections", "four")
    read(monkeypatch, lent_connections="*").require_lent("any")


@pytest.mark.parametrize("value", ["snow*", "one, *two", "**"])
def test_ids_that_are_lent_are_no_patterns(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="or \\* alone for all") as caught:
        read(monkeypatch, lent_connections=value)
    assert caught.value.field == "lent_connections"
