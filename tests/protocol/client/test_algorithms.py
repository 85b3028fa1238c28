from __future__ import annotations

import pytest

from airflow_oauth_provider.protocol.client.algorithms import (
    ALGORITHMS,
    KeyKind,
    algorithms_of,
    labels,
    one_of,
    shortest_secret,
)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (KeyKind.RSA, ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        (KeyKind.P256, ("ES256",)),
        (KeyKind.P384, ("ES384",)),
        (KeyKind.P521, ("ES512",)),
        (KeyKind.ED25519, ("EdDSA", "Ed25519")),
        (KeyKind.SECRET, ("HS256", "HS384", "HS512")),
    ],
)
def test_what_a_kind_of_key_is_good_for(kind: KeyKind, names: tuple[str, ...]) -> None:
    assert algorithms_of(kind) == names


def test_every_algorithm_has_a_label_that_names_it_and_its_key() -> None:
    assert labels().keys() == ALGORITHMS.keys()
    assert all(label.startswith(f"{name} (") for name, label in labels().items())
    assert labels()["PS384"] == "PS384 (RSA-PSS)"
    assert labels()["ES512"] == "ES512 (EC P-521)"


@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_as_long_as_the_hash(algorithm: str, size: int) -> None:
    assert shortest_secret(algorithm) == size


def test_a_choice_in_words() -> None:
    assert one_of(("ES256",)) == "ES256"
    assert one_of(("EdDSA", "Ed25519")) == "EdDSA or Ed25519"
    assert one_of(("a", "b", "c")) == "a, b or c"
