"""What leaves this package, redacted: random secrets in every spelling, and what must stay as it is."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import json
import pickle
from typing import Any, ClassVar, NamedTuple, NoReturn
from urllib.parse import quote, quote_plus

import attrs
import pydantic
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.redaction import NOTHING, WITHHELD, Redactor
from tests.support.spellings import SPELLINGS, disclosed, parts_of

repeatable = settings(derandomize=True, deadline=None, database=None, max_examples=150)

AWKWARD = "\"\\&<>'/%+=;#u0022 äöüß€日本😀🔑"
"""Characters that one escape or another changes, and those of which escapes are made."""
secrets = st.text(
    st.one_of(st.sampled_from(AWKWARD), st.characters(min_codepoint=33, max_codepoint=126)),
    min_size=12,
    max_size=60,
)
texts = st.text(st.one_of(st.sampled_from(AWKWARD + "\n\t:,{}[]"), st.characters(codec="utf-8")), max_size=80)
spelling = st.sampled_from(sorted(SPELLINGS))


@pytest.mark.fault("F20", "F27", "F61")
@repeatable
@given(secret=secrets, name=spelling, before=texts, after=texts)
def test_no_spelling_of_a_secret_survives(secret: str, name: str, before: str, after: str) -> None:
    assume(secret.strip() == secret)
    redacted = Redactor([secret]).text(f"{before} {SPELLINGS[name](secret)} {after}")
    assert not disclosed(redacted, [secret])


SHORT = 'p\u00e4ss w"'
"""Too short for a part of it to be known: whole, in any spelling, it becomes three stars."""


@pytest.mark.fault("F20")
@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param(SHORT, id="plain"),
        pytest.param(quote(SHORT), id="percent"),
        pytest.param(quote(SHORT, encoding="latin-1"), id="percent of Latin-1"),
        pytest.param(quote_plus(SHORT), id="plus"),
        pytest.param(json.dumps(SHORT)[1:-1], id="JSON"),
        pytest.param(json.dumps(json.dumps(SHORT)), id="JSON in JSON"),
        pytest.param(html.escape(SHORT), id="HTML"),
        pytest.param(quote(json.dumps(json.dumps(SHORT))), id="JSON in JSON, percent"),
        pytest.param(html.escape(json.dumps(quote(SHORT))), id="percent in JSON in HTML"),
        pytest.param(base64.b64encode(SHORT.encode()).decode(), id="Base64"),
        pytest.param(base64.b64encode(f"id:{SHORT}".encode()).decode(), id="Base64 with others"),
        pytest.param(SHORT.encode().hex(), id="hexadecimal"),
    ],
)
def test_each_spelling_of_a_short_secret(spelled: str) -> None:
    redacted = Redactor([SHORT]).text(f"you sent <{spelled}>, it said")
    assert (
        redacted.replace('"', "")
        .replace("%22", "")
        .replace("&quot;", "")
        .replace("\\", "")
        .replace("%5C", "")
        == "you sent <***>, it said"
    )


@pytest.mark.fault("F20")
@repeatable
@given(secret=secrets, first=spelling, second=spelling, before=texts)
def test_nor_does_one_spelling_in_another(secret: str, first: str, second: str, before: str) -> None:
    assume(secret.strip() == secret)
    # Base64 of an escaped text is a text that nobody echoes.
    if second.startswith(("Base64", "hexa", "Latin", "percent, every")):
        first, second = second, first
    assume(not second.startswith(("Base64", "hexa", "Latin", "percent, every")))
    redacted = Redactor([secret]).text(f"{before} {SPELLINGS[second](SPELLINGS[first](secret))}")
    assert not disclosed(redacted, [secret])


@pytest.mark.fault("F20")
@repeatable
@given(secret=secrets, name=spelling, data=st.data())
def test_a_text_with_part_of_a_secret_is_withheld_whole(secret: str, name: str, data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(sorted(parts_of(secret, name))))
    redacted = Redactor([secret]).text(f"not that one: {part}")
    assert redacted in {WITHHELD, "not that one: ***"}


@repeatable
@given(secret=secrets, text=texts)
def test_other_texts_stay_as_they_are(secret: str, text: str) -> None:
    assume(not disclosed(text, [secret], size=6))
    assert Redactor([secret]).text(text) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.fault("F04")
@repeatable
@given(secret=secrets, name=spelling, value=JSON)
def test_values_are_redacted_however_deep(secret: str, name: str, value: Any) -> None:
    echo = SPELLINGS[name](secret)
    redactor = Redactor([secret])
    assume(not redactor.finds_in(json.dumps(value, ensure_ascii=False)))
    redacted = redactor.value({"a": [value, {"b": (value, echo), echo: [[echo]]}]})
    # Not the JSON of it: that would be one more spelling.
    assert not any(disclosed(text, [secret]) for text in _texts(redacted))
    assert redacted["a"][0] == value
    assert redactor.value(value) is value


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


class Pair(NamedTuple):
    name: str
    value: Any


SECRET = 'a"secret&of <this> täst'


@pytest.mark.fault("F04")
@pytest.mark.parametrize(
    "value, expected",
    [
        pytest.param([f"x {SECRET}"], ["x ***"], id="list"),
        pytest.param((1, SECRET), (1, "***"), id="tuple"),
        pytest.param({SECRET: 1}, {"***": 1}, id="name"),
        pytest.param({"a": {"b": [{"c": SECRET}]}}, {"a": {"b": [{"c": "***"}]}}, id="nested"),
        pytest.param(Pair("x", SECRET), Pair("x", "***"), id="named-tuple"),
        pytest.param({SECRET, "b"}, {"***", "b"}, id="set"),
        pytest.param(frozenset({SECRET}), frozenset({"***"}), id="frozen-set"),
        pytest.param(b"\xff " + SECRET.encode(), b"\xff ***", id="bytes"),
        pytest.param(bytearray(SECRET.encode()), bytearray(b"***"), id="bytearray"),
        pytest.param([json.dumps({"a": SECRET})], ['{"a": "***"}'], id="JSON-in-JSON"),
        pytest.param("half \ud800", "half ?", id="half-a-character"),
        pytest.param(
            {"n": 12345678, "m": 123456789, "x": 1.5}, {"n": "***", "m": 123456789, "x": 1.5}, id="pin"
        ),
    ],
)
def test_values(value: Any, expected: Any) -> None:
    result = Redactor([SECRET, "12345678"]).value(value)
    assert result == expected
    assert type(result) is type(expected)


def test_what_is_neither_text_nor_collection_is_left_to_its_maker() -> None:
    frame = object()
    assert Redactor([SECRET]).value([frame, SECRET])[0] is frame


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    kind: ClassVar[str] = "frozen"
    text: str
    more: Any = dataclasses.field(default=None, repr=False, init=False)


@attrs.frozen
class OfAttrs:
    text: str


class OfPydantic(pydantic.BaseModel):
    text: str
    more: list[str] = []


@pytest.mark.parametrize(
    "record",
    [Frozen(SECRET), OfAttrs(text=SECRET), OfPydantic(text=SECRET)],
    ids=lambda it: type(it).__name__,
)
def test_records_are_looked_through(record: Any) -> None:
    redacted = Redactor([SECRET]).value({"page": [record]})["page"][0]
    assert type(redacted) is type(record)
    assert redacted.text == "***"
    assert record.text == SECRET, "that of others stays as it is"


def test_a_record_that_cannot_be_copied_is_withheld() -> None:
    class Single(Frozen):
        def __copy__(self) -> NoReturn:
            raise TypeError("there is one")

    assert Redactor([SECRET]).value([Single(SECRET), "x"]) == [WITHHELD, "x"]


def test_one_that_is_its_own_copy_stays_as_it_is() -> None:
    """A token, which others use."""
    token = AccessToken(SECRET, "Bearer", 10.0, 0.0)
    assert Redactor([SECRET]).value([token]) == [token]
    assert token.value == SECRET


def test_values_without_end_and_without_bottom() -> None:
    endless: list[Any] = [SECRET]
    endless.append(endless)
    assert Redactor([SECRET]).value(endless) == WITHHELD
    clean: list[Any] = ["a"]
    clean.append(clean)
    assert Redactor([SECRET]).value(clean) is clean
    deep: Any = SECRET
    for _ in range(100_000):
        deep = [deep]
    assert Redactor([SECRET]).value(deep) == WITHHELD


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a cat", "***"),
        ("the cat", "the cat"),
        ("cat,cats", "cat,cats"),
    ],
)
def test_short_strings_stay(text: str, expected: str) -> None:
    assert Redactor(["a", "cat", "a cat"]).text(text) == expected


@pytest.mark.parametrize(
    "name", sorted(set(SPELLINGS) - {"Base64 of a longer text", "Base64 of another one"})
)
def test_short_secrets_in_each_spelling(name: str) -> None:
    secret = 'p"w&1/<'
    redacted = Redactor([secret]).text(f"bad: {SPELLINGS[name](secret)}!")
    assert SPELLINGS[name](secret) not in redacted
    assert redacted.startswith("bad: ")


def test_the_longer_one_first() -> None:
    assert Redactor(["abcdef", "abcdef-and-more"]).text("abcdef-and-more abcdef") == "*** ***"


@pytest.mark.fault("F20")
def test_what_the_client_id_says_itself_is_no_disclosure() -> None:
    redactor = Redactor(["airflow-client-secret"], public=["airflow-client"])
    assert redactor.text("unknown client airflow-client") == "unknown client airflow-client"
    assert redactor.text("airflow-client:airflow-client-secret") == "airflow-client:***"
    assert redactor.text("client airflow-client-s") == WITHHELD
    same = Redactor(["airflow-client"], public=["airflow-client"])
    assert same.text("unknown client airflow-client") == "unknown client ***"


def test_what_the_redactor_says_of_itself() -> None:
    assert SECRET not in repr(Redactor([SECRET]))
    with pytest.raises(TypeError):
        pickle.dumps(Redactor([SECRET]))
    assert NOTHING.text(SECRET) == SECRET


def token(**claims: Any) -> str:
    parts = ({"alg": "RS256", "kid": "k1"}, {"iss": "https://idp.example/", **claims})
    head = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )
    signature = hashlib.sha512(head.encode()).digest()
    return f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


class TestJwt:
    own = token(jti="our-own-token")
    other = token(jti="somebody-else")

    @pytest.mark.parametrize("name", sorted(SPELLINGS))
    def test_whole_in_each_spelling(self, name: str) -> None:
        signature = self.own.rpartition(".")[2]
        redacted = Redactor([self.own]).text(f"token: {SPELLINGS[name](self.own)}.")
        assert not disclosed(redacted, [signature])
        assert redacted.startswith("token: ")

    def test_another_token_of_the_same_server_is_none_of_ours(self) -> None:
        assert Redactor([self.own]).text(self.other) == self.other

    def test_part_of_the_signature(self) -> None:
        assert Redactor([self.own]).text(f"signature …{self.own[-20:]}") == WITHHELD


KEYS: dict[str, Any] = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
OTHER_KEYS: dict[str, Any] = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
_JWK: Any = {
    "RSA": RSAAlgorithm,
    **dict.fromkeys(("P-256", "P-384", "P-521"), ECAlgorithm),
    "Ed25519": OKPAlgorithm,
}


def pem(key: Any, form: str = "PKCS8", passphrase: bytes | None = None) -> str:
    encryption: Any = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    formats = {
        "PKCS8": serialization.PrivateFormat.PKCS8,
        "SEC1": serialization.PrivateFormat.TraditionalOpenSSL,
    }
    return str(key.private_bytes(serialization.Encoding.PEM, formats[form], encryption).decode())


def jwk(key: Any, kind: str, *, public: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(_JWK[kind].to_jwk(key.public_key() if public else key))
    return made


@pytest.mark.parametrize("kind", KEYS)
class TestKeys:
    @pytest.mark.parametrize(
        "form, passphrase", [("PKCS8", None), ("PKCS8", b"pass"), ("SEC1", None), ("SEC1", b"pass")]
    )
    def test_lines_of_a_pem(self, kind: str, form: str, passphrase: bytes | None) -> None:
        if kind == "Ed25519" and form == "SEC1":
            pytest.skip("there is no such format")
        text = pem(KEYS[kind], form, passphrase)
        redactor = Redactor([text])
        body = [line for line in text.splitlines() if line and not line.startswith(("-----", "Proc", "DEK"))]
        for spell in SPELLINGS.values():
            redacted = redactor.text(f"bad key {spell(text)}")
            # The line with which all keys of a kind begin says nothing.
            assert not disclosed(redacted, [line for line in body[1:] if len(line) >= 12] or [body[0][30:]])
        for line in body[2:-1]:
            assert redactor.text(f"line {line}") in {"line ***", f"line {line}"}
        assert redactor.text(body[len(body) // 2 - (len(body) > 2)][-16:]) != body[-1][-16:]

    def test_the_numbers_of_a_pem_are_known_in_a_jwk(self, kind: str) -> None:
        redacted = Redactor([pem(KEYS[kind])]).text(json.dumps(jwk(KEYS[kind], kind)))
        private = {
            name: value for name, value in jwk(KEYS[kind], kind).items() if name in {"d", "p", "q", "dp"}
        }
        assert private
        assert not disclosed(redacted, private.values())

    def test_the_numbers_of_a_jwk(self, kind: str) -> None:
        key = jwk(KEYS[kind], kind)
        redactor = Redactor([json.dumps(key)])
        redacted = redactor.text(json.dumps(key, separators=(",", ":")))
        assert not disclosed(
            redacted, [value for name, value in key.items() if name in {"d", "p", "q", "dp"}]
        )
        assert '"kty":"' in redacted

    def test_public_keys_and_keys_of_others_are_nobodys_secret(self, kind: str) -> None:
        for value in (pem(KEYS[kind]), json.dumps(jwk(KEYS[kind], kind))):
            redactor = Redactor([value])
            public = json.dumps(jwk(KEYS[kind], kind, public=True))
            assert redactor.text(public) == public
            for form in ("PKCS8", "SEC1") if kind != "Ed25519" else ("PKCS8",):
                other = pem(OTHER_KEYS[kind], form)
                assert redactor.text(other) == other


def test_a_pkcs12_file() -> None:
    from cryptography.hazmat.primitives.serialization import pkcs12

    data = pkcs12.serialize_key_and_certificates(
        b"x", KEYS["P-256"], None, None, serialization.BestAvailableEncryption(b"pass")
    )
    text = base64.b64encode(data).decode()
    redactor = Redactor([text])
    assert redactor.text(f"<{text}>") == "<***>"
    assert redactor.text(text[260:290]) == WITHHELD
    wrapped = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    assert Redactor([wrapped]).text(f"<{text}>") == "<***>"
    other = pkcs12.serialize_key_and_certificates(
        b"x", KEYS["P-256"], None, None, serialization.BestAvailableEncryption(b"other")
    )
    clients = base64.b64encode(other).decode()
    assert redactor.text(clients) == clients, "that of another client begins alike"


class TestDocuments:
    """Bodies, which may be JSON."""

    def test_one_without_a_secret_stays_byte_for_byte(self) -> None:
        data = b'{"a":  "b",\n"c": 1e2}'
        assert Redactor(["a-client-secret"]).document(data) is data

    def test_json_stays_json(self) -> None:
        redactor = Redactor(["a-client-secret"])
        cut = b'{"whole": "a-client-secret", "part": "client-secret", "other": "x"}'
        assert json.loads(redactor.document(cut)) == {"whole": "***", "part": WITHHELD, "other": "x"}

    @pytest.mark.parametrize("data", [b"key=a-client-secret&b", b"{a-client-secret", b"\xff a-client-secret"])
    def test_what_is_none_is_redacted_as_text(self, data: bytes) -> None:
        redacted = Redactor(["a-client-secret"]).document(data)
        assert redacted == data.replace(b"a-client-secret", b"***")


def test_an_error_is_copied_without_secrets_and_without_what_led_to_it() -> None:
    class NoisyError(Exception):
        body: Any = None

    try:
        try:
            raise KeyError("a-client-secret")
        except KeyError as cause:
            raise NoisyError("said a-client-secret", 7) from cause
    except NoisyError as raised:
        error = raised
    error.body = {"a-client-secret": ["a-client-secret"]}
    redacted = Redactor(["a-client-secret"]).error(error)
    assert type(redacted) is NoisyError
    assert redacted.args == ("said ***", 7)
    assert redacted.body == {"***": ["***"]}
    assert (redacted.__traceback__, redacted.__cause__, redacted.__context__) == (None, None, None)
    assert error.args[0] == "said a-client-secret", "the original is its owner's"


def test_a_short_value_may_be_a_word_of_our_own_texts() -> None:
    redactor = Redactor(["host", "a-client-secret"]).for_own_texts()
    assert redactor.text("the host said a-client-secret") == "the host said ***"


def test_true_is_no_text() -> None:
    assert Redactor(["True"]).value([True, "True", False]) == [True, "***", False]


def test_a_long_number_that_has_part_of_a_secret_in_it_is_no_accident() -> None:
    redactor = Redactor(["123456789012345"])
    assert redactor.value([9123456789012345, 123456789012, 12345678901]) == ["9***", WITHHELD, 12345678901]


def test_only_a_tuple_with_names_is_made_anew_by_them() -> None:
    import ast

    class Pair(NamedTuple):
        one: str
        other: str

    node = ast.parse("a = 1")  # it has `_fields`, too
    redacted = Redactor(["a-client-secret"]).value([node, Pair("a-client-secret", "b")])
    assert redacted == [node, Pair("***", "b")]
    assert type(redacted[1]) is Pair
