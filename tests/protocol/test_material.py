from __future__ import annotations

import base64
import json
import os

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import get_default_algorithms

from airflow_oauth_provider.protocol.dpop.proof import new_proof
from airflow_oauth_provider.protocol.dpop.proof_key import load_proof_key, new_proof_key
from airflow_oauth_provider.protocol.material import SHORTEST, WINDOW, material_of, numbers_at
from airflow_oauth_provider.protocol.redaction import WITHHELD, Redactor
from tests.support.spellings import SPELLINGS, disclosed

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
JWK = get_default_algorithms()["ES256"].to_jwk(KEY, as_dict=True)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"


def test_a_plain_value_is_confidential_whole_and_in_each_window() -> None:
    material = material_of("correct horse battery")
    assert "correct horse battery" in material.wholes
    assert "correct horse battery" in material.windows
    assert base64.b64encode(b"correct horse battery").decode() in material.encoded
    assert b"correct horse battery".hex() in material.encoded


def test_it_is_known_in_base64_wherever_it_begins() -> None:
    material = material_of("correct horse battery")
    for before in ("", "a", "ab", "abc", "client:"):
        text = base64.b64encode(f"{before}correct horse battery!".encode()).decode()
        assert any(form in text for form in material.encoded), before


def test_of_a_jwt_only_the_signature() -> None:
    header, payload, signature = JWT.split(".")
    material = material_of(JWT)
    assert signature in material.windows
    assert header not in material.windows
    assert payload not in material.windows
    assert JWT in material.wholes


def test_of_a_private_key_not_what_all_keys_begin_with() -> None:
    text = "".join(PEM.splitlines()[1:-1])
    material = material_of(PEM)
    assert text[:20] not in material.windows
    assert text[52:80] in material.windows, "within the 32 bytes of the number"
    assert "-----BEGIN PRIVATE KEY-----" not in material.windows


def test_of_a_file_that_is_encoded_once_more_not_what_all_begin_with() -> None:
    """As Kubernetes does it; of a key of 256 bits the second line is the number."""
    redactor = Redactor([PEM])
    beginning, number, public = (
        base64.b64encode(line.encode()).decode()[4:36] for line in PEM.splitlines()[1:-1]
    )
    assert redactor.text(beginning) == beginning
    assert redactor.text(number) == WITHHELD
    assert redactor.text(public) == public


@pytest.mark.fault("F20")
@pytest.mark.parametrize("name", SPELLINGS)
def test_a_line_of_a_key_that_is_full_of_what_is_percent_encoded(name: str) -> None:
    number = base64.b64decode(("ab+c/d" * 8)[:43] + "=")
    key = ec.derive_private_key(int.from_bytes(number), ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    line = key.decode().splitlines()[1]
    assert line.endswith("ab+c/dab+c/dab+c")
    assert not disclosed(Redactor([key.decode()]).text(f"<{SPELLINGS[name](line)}>"), [line])


def test_what_stands_about_an_encrypted_key_is_seen() -> None:
    """The headers of the traditional format (RFC 1421 §4.6), and a last line of a few characters."""
    lines = base64.b64encode(bytes(range(96))).decode()
    header = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF"
    armour = "-----{} RSA PRIVATE KEY-----"
    text = f"{armour.format('BEGIN')}\n{header}\n\n{lines[:64]}\n{lines[64:]}\nZw==\n{armour.format('END')}"
    redactor = Redactor([text])
    assert redactor.text(header) == header
    assert redactor.text("a word, Zw==") == "a word, Zw=="
    assert redactor.text(f"<{lines[:64]}>") == "<***>"
    assert redactor.text(f"<{lines}Zw==>") == "<***>"


def test_part_of_a_key_that_is_damaged_withholds_the_text() -> None:
    lines = base64.b64encode(bytes(range(96))).decode()
    text = f"-----BEGIN PRIVATE KEY-----\n{lines[:64]}\n{lines[64:]}!\n-----END PRIVATE KEY-----"
    assert Redactor([text]).text(f"it has {lines[50:80]} in it") == WITHHELD
    assert Redactor([text]).text(f"it is {lines}!") == "it is ***"


def test_a_short_secret_that_begins_like_a_file_of_keys_is_none() -> None:
    redactor = Redactor(["MIxyz12"])
    assert redactor.text(base64.b64encode(b"MIxyz12").decode()) == "***"


def test_of_a_jwk_only_the_private_members() -> None:
    material = material_of(json.dumps(JWK))
    assert JWK["d"] in material.wholes
    assert JWK["x"] not in material.windows
    assert JWK["y"] not in material.windows


@pytest.mark.parametrize("value", ["", "a", "abc", "a" * (SHORTEST - 1)])
def test_what_is_too_short_to_be_replaced(value: str) -> None:
    material = material_of(value)
    assert material.wholes == ()
    assert material.windows == ""


def test_each_window_holds_a_block_that_is_looked_up() -> None:
    value = "0123456789abcdefghij"
    blocks = material_of(value).blocks
    for start in range(len(value) - WINDOW + 1):
        window = value[start : start + WINDOW].encode()
        assert any(number in blocks for at in range(WINDOW - 3) for number in numbers_at(window[at : at + 4]))


def test_a_very_long_value_costs_no_more_than_its_ends() -> None:
    material = material_of("x" * 100 + "0123456789" * 100_000 + "y" * 100)
    assert len(material.windows) < 64 * 1024
    assert "x" * 100 in material.windows
    assert "y" * 100 in material.windows


def test_a_long_value_has_its_middle() -> None:
    value = "".join(f"{number:06}" for number in range(2_730))
    middle = len(value) // 2
    assert value[middle - 6 : middle + 6] in material_of(value).windows


def test_a_short_value_is_known_in_base64_with_its_last_character() -> None:
    assert Redactor(["k1ys"]).text(f"<{base64.b64encode(b'k1ys').decode()}>") == "<***>"


def test_a_jwk_whose_further_primes_are_none_is_one_all_the_same() -> None:
    material = material_of(
        json.dumps({"kty": "RSA", "d": "0123456789abcdef", "oth": ["x", {"r": "a-further-prime"}]})
    )
    assert {"0123456789abcdef", "a-further-prime"} <= set(material.wholes)


class TestProofsOfPossession:
    """All that are made with one key begin alike (RFC 9449 §4.2)."""

    KEY = load_proof_key(new_proof_key(os.urandom))
    REDACTOR = Redactor([f"{KEY.header}."])

    def proof(self) -> str:
        return new_proof(self.KEY, "GET", "https://api.example/", now=5.0, entropy=os.urandom, token="tok")

    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_none_of_them_is_seen_in_any_spelling(self, spelling: str) -> None:
        for proof in (self.proof(), self.proof()):
            text = self.REDACTOR.text(f"DPoP: {SPELLINGS[spelling](proof)} was refused")
            assert not disclosed(text, [proof, proof.rpartition(".")[2]])
            assert text != proof

    def test_the_dot_behind_it_makes_it_a_beginning(self) -> None:
        assert material_of(f"{self.KEY.header}.").beginnings == (f"{self.KEY.header}.",)
        assert material_of(self.KEY.header).beginnings == ()

    def test_what_stands_beside_one_is_seen(self) -> None:
        proof = self.proof()
        assert self.REDACTOR.text(f'{{"dpop": "{proof}", "ok": 1}}') == '{"dpop": "***", "ok": 1}'

    def test_part_of_one_withholds_the_text(self) -> None:
        assert self.REDACTOR.text(f"it was {self.proof()[:60]}…") == WITHHELD

    def test_another_token_that_is_a_jwt_is_none(self) -> None:
        other = jwt.encode({"a": 1}, "k" * 32, headers={"typ": "at+jwt"})
        assert self.REDACTOR.text(other) == other
