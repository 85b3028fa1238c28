"""Where a credential comes from: said in words, and never what it is."""

from __future__ import annotations

from airflow_oauth_provider.protocol.credential_sources import AssertionFile, ExternalSource
from airflow_oauth_provider.protocol.secret import Secret
from tests.support.builders import settings

FILE = AssertionFile("/run/tokens/idp", "jwt-spiffe", "/run/tokens", Secret("an-assertion"))


def test_in_words() -> None:
    assert settings().credential_source is None
    assert (
        settings(external=ExternalSource("erp", "env")).credential_source == "external credential erp (env)"
    )
    assert settings(assertion_file=FILE).credential_source == "assertion file (jwt-spiffe)"


def test_the_content_of_a_file_is_confidential() -> None:
    given = settings(assertion_file=FILE)
    assert Secret("an-assertion") in given.secrets()
    assert "an-assertion" not in repr(given)
