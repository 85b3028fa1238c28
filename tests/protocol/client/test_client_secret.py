from __future__ import annotations

import base64
from urllib.parse import quote, unquote

import pytest

from airflow_oauth_provider.protocol.client.client_secret import basic_value
from airflow_oauth_provider.protocol.secret import Secret
from tests.support.builders import SECRET, settings
from tests.support.token_requests import build, form, header


class TestBasic:
    """RFC 6749 §2.3.1."""

    @pytest.mark.parametrize(
        "client_id, secret",
        [
            pytest.param("my-client", "a+b %c&d=e/f", id="awkward-secret[C19]"),
            pytest.param("https://id:8443/x", SECRET, id="colon-in-the-id[C18]"),
            pytest.param("clé", "pässword-€", id="beyond-ASCII"),
        ],
    )
    def test_both_parts_are_form_encoded(self, client_id: str, secret: str) -> None:
        request = build(settings(client_id=client_id, client_secret=Secret(secret)))
        value = header(request, "Authorization")
        expected = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
        assert value == "Basic " + base64.b64encode(expected.encode()).decode()
        decoded = base64.b64decode(value.removeprefix("Basic ")).decode()
        assert "+" not in decoded, "a space is %20, which every server reads"
        assert [unquote(part) for part in decoded.split(":")] == [client_id, secret]

    def test_raw_is_a_named_switch(self) -> None:
        given = settings(client_secret=Secret("a+b %c"), request={"basic_encoding": "raw"})
        value = header(build(given), "Authorization").removeprefix("Basic ")
        assert base64.b64decode(value) == b"my-client:a+b %c"

    def test_nothing_of_it_is_in_body_or_url(self) -> None:
        request = build(settings())
        assert form(request) == {"grant_type": ["client_credentials"]}
        assert request.url == "https://idp.example/token"

    def test_the_value_counts_as_confidential(self) -> None:
        value = basic_value("my-client", Secret(SECRET), "rfc6749").removeprefix("Basic ")
        assert {SECRET, value} <= set(build(settings()).redactor.values)


def test_post_has_the_secret_in_the_body_only() -> None:
    request = build(settings(auth_method="client_secret_post"))
    assert form(request)["client_id"] == ["my-client"]
    assert form(request)["client_secret"] == [SECRET]
    assert "authorization" not in {name.lower() for name, _ in request.headers}
    assert SECRET not in request.url
