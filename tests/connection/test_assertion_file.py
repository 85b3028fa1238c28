"""Workload identity: which file a connection may name, and where its assertion may go."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.settings import ClientSettings
from tests.connection.test_checks import EC_KEY, connection

POLICY = Policy(
    token_hosts=("idp.example",),
    assertion_folders=("/run/tokens", "/var/run/spiffe/"),
    proxies=("proxy.example",),
    allow_unverified_tls=True,
)


def settings_of(policy: Policy = POLICY, /, **changes: Any) -> ClientSettings:
    given = {"auth_method": "workload_identity", "password": None, "assertion_file": "/run/tokens/idp"}
    return resolve(connection(**{**given, **changes}), policy).settings


def refusal(policy: Policy = POLICY, /, **changes: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        settings_of(policy, **changes)
    return caught.value


def test_the_usual() -> None:
    settings = settings_of()
    assert settings.assertion_file == AssertionFile("/run/tokens/idp", "jwt-bearer", "/run/tokens")
    assert settings.credential is None
    assert settings.credential_source == "assertion file (jwt-bearer)"


def test_deeper_below_a_folder_and_of_spiffe() -> None:
    settings = settings_of(
        assertion_file="/var/run/spiffe/airflow/svid",
        assertion_kind="jwt-spiffe",
        login="spiffe://example.org/x",
    )
    assert settings.assertion_file is not None
    assert (settings.assertion_file.kind, settings.assertion_file.folder) == (
        "jwt-spiffe",
        "/var/run/spiffe/",
    )


@pytest.mark.parametrize(
    "path",
    [
        "/run/tokens",
        "/run/tokens/",
        "/run/tokens-too/idp",
        "/run/tokens/../secrets/key",
        "/etc/passwd",
        "run/tokens/idp",
        "~/idp",
        "/run/tokens/a\nb",
        None,
    ],
    ids=repr,
)
def test_a_file_elsewhere_is_refused(path: str | None) -> None:
    assert refusal(assertion_file=path).field == "assertion_file"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "a-secret-of-the-row"}, "password"),
        ({"private_key": EC_KEY}, "private_key"),
        ({"proxy_url": "http://proxy.example:3128"}, "proxy_url"),
        ({"verify_tls": False}, "verify_tls"),
        ({"ca_certificates": "-----BEGIN CERTIFICATE-----"}, "ca_certificates"),
        ({"external_credential": "erp"}, "external_credential"),
        ({"assertion_kind": "saml2-bearer"}, "assertion_kind"),
        ({"assertion_kind": "jwt-spiffe"}, "login"),
        ({"host": "https://evil.example/token"}, "host"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_what_could_have_it_read_or_sent_elsewhere(changes: dict[str, Any], field: str) -> None:
    assert refusal(**changes).field == field


@pytest.mark.parametrize(
    ("policy", "option"),
    [
        (Policy(assertion_folders=("/run/tokens",)), "allowed_token_hosts"),
        (Policy(token_hosts=("idp.example",)), "assertion_folders"),
    ],
    ids=["hosts", "folders"],
)
def test_without_both_lists_nothing_is_sent(policy: Policy, option: str) -> None:
    error = refusal(policy)
    assert error.field == "assertion_file"
    assert option in str(error)


def test_other_methods_ignore_it() -> None:
    resolved = resolve(connection(assertion_file="/run/tokens/idp"), POLICY)
    assert resolved.settings.assertion_file is None
    assert "assertion_file is ignored" in resolved.warnings[0]
    warnings = resolve(connection(assertion_kind="jwt-spiffe"), POLICY).warnings
    assert warnings == ("assertion_kind is ignored: auth_method is client_secret_basic",)
    assert resolve(connection(assertion_kind="jwt-bearer"), POLICY).warnings == ()
