"""The last tokens are redacted, and a redactor is made anew only when something has changed."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.client.handed_out import HANDED_OUT, HandedOutTokens, own_error
from airflow_oauth_provider.exceptions import TransportError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens import AccessToken
from tests.support.builders import settings

GIVEN = settings()


def token(number: int) -> AccessToken:
    return AccessToken(f"the-token-number-{number:04}", "Bearer", 2.0, 1.0)


def test_the_last_ones_and_the_current_one() -> None:
    handed_out = HandedOutTokens()
    for number in range(HANDED_OUT + 1):
        handed_out.add(token(number))
    redactor = handed_out.redactor(GIVEN, token(999))
    assert token(0).value not in redactor.values
    assert {token(1).value, token(HANDED_OUT).value, token(999).value} <= set(redactor.values)


def test_a_redactor_stays_while_nothing_changes() -> None:
    handed_out = HandedOutTokens()
    handed_out.add(token(1))
    first = handed_out.redactor(GIVEN, None)
    assert handed_out.redactor(GIVEN, None) is first
    handed_out.add(token(2))
    assert handed_out.redactor(GIVEN, None) is not first


@pytest.mark.fault("F27")
def test_the_last_net_for_an_error() -> None:
    given = settings(client_secret=Secret("read"))
    redactor = HandedOutTokens().redactor(given, AccessToken("a-token-that-nobody-sees", "Bearer", 2e9, 1e9))
    error = TransportError("cannot read a-token-that-nobody-sees", host="idp.example:443", retry_after=3.0)
    copied = own_error(error, "my_api", redactor)
    assert str(copied) == 'Connection "my_api": cannot read ***', (
        "a short secret may be a word in a text of ours"
    )
    assert (type(copied), copied.host, copied.retry_after) == (TransportError, "idp.example:443", 3.0)
    assert error.conn_id is None
