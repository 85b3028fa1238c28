"""``[oauth2]`` in a file: its own syntax may be wrong, too."""

from __future__ import annotations

import time
import traceback

import pytest
from airflow.providers.common.compat.sdk import conf

from airflow_oauth_provider.deployment import policy
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError


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
