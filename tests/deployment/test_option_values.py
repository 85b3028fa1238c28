from __future__ import annotations

import base64
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import conf

from airflow_oauth_provider.deployment.option_values import shortest_masked
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError

Read = Callable[..., Policy]


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
def test_what_is_malformed_is_named_and_not_repeated(read: Read, option: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(**{option: value})
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
def test_where_credentials_lie_is_checked(option: str, value: str, read: Read) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(**{option: value})
    assert caught.value.field == option
    assert value not in str(caught.value)


def test_folders_of_assertions(read: Read) -> None:
    assert read(assertion_folders=" /run/a , /run/b/,").assertion_folders == (
        "/run/a",
        "/run/b/",
    )


@pytest.mark.parametrize("value", ["snow*", "one, *two", "**"])
def test_ids_that_are_lent_are_no_patterns(value: str, read: Read) -> None:
    with pytest.raises(ConfigurationError, match="or \\* alone for all") as caught:
        read(lent_connections=value)
    assert caught.value.field == "lent_connections"
