from __future__ import annotations

import pytest

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens.sealing import looks_sealed, sealer

ONE, OTHER, KEY = Secret("the secret of one"), Secret("the secret of another"), Secret("the store's key")


def test_only_the_same_credential_opens_it() -> None:
    sealed = sealer(ONE, None).seal("name", b"content")
    assert sealer(Secret("the secret of one"), None).open("name", sealed) == b"content"
    for credential, store_key in ((OTHER, None), (ONE, KEY), (None, KEY)):
        assert sealer(credential, store_key).open("name", sealed) is None


def test_the_stores_key_enters_all() -> None:
    sealed = sealer(ONE, KEY).seal("name", b"content")
    assert sealer(ONE, KEY).open("name", sealed) == b"content"
    assert sealer(ONE, Secret("a rotated key")).open("name", sealed) is None
    with pytest.raises(ValueError, match="nothing to derive"):
        sealer(None, None)


def test_in_anothers_place_or_spoiled_it_does_not_open() -> None:
    given = sealer(ONE, None)
    sealed = given.seal("name", b"content")
    assert given.open("other name", sealed) is None
    for position in range(len(sealed)):
        spoiled = sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
        assert given.open("name", spoiled) is None, position
    for length in range(len(sealed)):
        assert given.open("name", sealed[:length]) is None, length
    assert given.open("name", sealed + b"x") is None


def test_equal_contents_look_different_and_show_nothing() -> None:
    given = sealer(ONE, None)
    sealed = {given.seal("name", b"content of an entry") for _ in range(100)}
    assert len(sealed) == 100
    assert not [entry for entry in sealed if b"content" in entry]
    assert ONE.reveal() not in repr(given)


def test_names_give_nothing_away_and_differ_by_purpose_key_and_client() -> None:
    names = {
        sealer(credential, None).name(purpose, key)
        for credential in (ONE, OTHER)
        for purpose in ("token", "status")
        for key in ("a", "b")
    }
    assert len(names) == 8
    assert all(len(name) == 40 and set(name) <= set("0123456789abcdef") for name in names)


@pytest.mark.parametrize(
    ("data", "looks"),
    [(b"", False), (b"\x01" * 28, False), (b"\x01" * 29, True), (b"\x02" * 64, False)],
)
def test_the_form_of_an_entry(data: bytes, looks: bool) -> None:
    assert looks_sealed(data) is looks
