"""Keys and certificates as people get them into a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_oauth_provider.client.masking import secret_forms
from airflow_oauth_provider.connection.pem import plain_pem
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.transport.tls import tls_context
from tests.connection.test_checks import connection, pem
from tests.support.keys import RSA
from tests.support.servers.certificates import authority, issue_client

KEY = pem(RSA)
AUTHORITY = authority("a CA").certificate
CLIENT = issue_client()
SPELLINGS: dict[str, Callable[[str], str]] = {
    "line-breaks-in-letters": lambda text: text.replace("\n", "\\n"),
    "windows-line-breaks-in-letters": lambda text: text.replace("\n", "\\r\\n"),
    "indented": lambda text: "".join(f"  {line}\n" for line in text.splitlines()),
    "with-blanks-behind": lambda text: text.replace("\n", " \t\n"),
    "with-the-mark-of-windows": lambda text: f"\ufeff{text}",
}
spellings = pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)


@spellings
def test_it_becomes_what_a_file_has(spell: Callable[[str], str]) -> None:
    assert plain_pem(spell(KEY)) == KEY


@pytest.mark.parametrize("text", [KEY, KEY.replace("\n", "\r\n"), " \\n \\r of no PEM ", '{"kty": "RSA"}'])
def test_all_else_stays_as_it_is(text: str) -> None:
    assert plain_pem(text) == text


def settings_of(**changes: Any) -> Any:
    return resolve(connection(password=None, **changes), Policy()).settings


@spellings
def test_a_key_is_the_same_key(spell: Callable[[str], str]) -> None:
    """With the token of the same client, and known to Airflow's masker line by line."""
    settings = settings_of(auth_method="private_key_jwt", private_key=spell(KEY))
    assert token_key(settings) == token_key(settings_of(auth_method="private_key_jwt", private_key=KEY))
    assert {line for line in KEY.splitlines() if "-----" not in line} <= set(secret_forms(settings))


@spellings
def test_certificates_are_read(spell: Callable[[str], str]) -> None:
    settings = settings_of(
        auth_method="tls_client_auth",
        private_key=spell(CLIENT.key),
        certificate=spell(CLIENT.certificate),
        ca_certificates=spell(AUTHORITY),
    )
    assert settings.network.certificate is not None
    assert settings.network.certificate.chain == CLIENT.certificate
    assert len(tls_context(settings.network).get_ca_certs()) == 1
