from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.protocol.token.metadata import (
    FRESH,
    DocumentError,
    KnownMetadata,
    Metadata,
    read_document,
)

ISSUER = "https://idp.example/tenant"
FOUND_AT = f"{ISSUER}/.well-known/openid-configuration"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "token_endpoint": "https://idp.example/token",
    "introspection_endpoint": "https://idp.example/introspect",
    "mtls_endpoint_aliases": {"token_endpoint": "https://mtls.idp.example/token"},
    "grant_types_supported": ["authorization_code"],
    "scopes_supported": ["read", 7, "write"],
    "jwks_uri": "https://elsewhere.example/keys",
}


def read(patterns: tuple[str, ...] = (), **changes: Any) -> Metadata:
    members = {name: value for name, value in {**DOCUMENT, **changes}.items() if value is not None}
    return read_document(json.dumps(members).encode(), ISSUER, FOUND_AT, patterns)


def test_what_is_read() -> None:
    metadata = read()
    assert str(metadata.token_endpoint) == "https://idp.example/token"
    assert metadata.scopes == ("read", "write")
    assert metadata.auth_methods is None
    report = metadata.report()
    assert report["introspection_endpoint"] == "https://idp.example/introspect"
    assert report["mtls_token_endpoint"] == "https://mtls.idp.example/token"
    assert "jwks_uri" not in report
    assert len(metadata.remarks()) == 1
    assert read(grant_types_supported=None).remarks() == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"issuer": f"{ISSUER}/"}, "another issuer"),
        ({"issuer": None}, "another issuer"),
        ({"token_endpoint": None}, "no token_endpoint"),
        ({"token_endpoint": 7}, "no string"),
        ({"token_endpoint": "http://idp.example/token"}, "token_endpoint"),
        ({"token_endpoint": "https://169.254.169.254/token"}, "link-local"),
        ({"introspection_endpoint": "ftp://x"}, "introspection_endpoint"),
        ({"mtls_endpoint_aliases": {"token_endpoint": "ftp://x"}}, "token_endpoint"),
    ],
)
def test_one_thing_amiss_and_nothing_is_used(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(**changes)
    assert says in str(caught.value)


def test_only_hosts_of_the_allow_list() -> None:
    assert read(("*.example",)).issuer == ISSUER
    with pytest.raises(DocumentError, match="allowed_token_hosts"):
        read(("other.example",))


def test_what_is_kept_is_checked_again_when_it_is_read() -> None:
    known = KnownMetadata(read(), 1000.0)
    again = KnownMetadata.load(known.dump(), ISSUER, ())
    assert again == known
    assert KnownMetadata.load(known.dump(), "https://other.example", ()) is None
    assert KnownMetadata.load(known.dump(), ISSUER, ("other.example",)) is None
    for data in (b"", b"[]", b"{}", known.dump().replace(b"1000.0", b"NaN")):
        assert KnownMetadata.load(data, ISSUER, ()) is None


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (FRESH - 1, True), (FRESH, False), (-1, False)])
def test_for_how_long_it_is_fresh(age: float, fresh: bool) -> None:
    assert KnownMetadata(read(), 1000.0).is_fresh(1000.0 + age) is fresh
