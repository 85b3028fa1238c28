"""What a server says, before anyone sees it."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.exceptions import TokenEndpointError
from airflow_oauth_provider.protocol.redaction import WITHHELD, Redactor
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.texts import clean, clean_uri, cut, excerpt, plain
from tests.support.builders import SECRET, Run, http_response, settings
from tests.support.spellings import SPELLINGS, disclosed


@pytest.mark.parametrize(
    "text, expected",
    [
        pytest.param("\x1b[31mred\x1b[0m alert", "[31mred [0m alert", id="ANSI[H58]"),
        pytest.param("one\r\ntwo: forged log line", "one two: forged log line", id="line-breaks[H58]"),
        pytest.param("x" * 1000, "x" * 1000, id="1,000"),
        pytest.param("x" * 1_000_000, "x" * 999 + "…", id="1-MB[H58]"),
        pytest.param("<script>alert(1)</script>", "(script)alert(1)(/script)", id="HTML[H58]"),
        pytest.param('say "no"\\', "say no", id="quotes[H58]"),
        pytest.param("\ud800\u202e\0", None, id="surrogate-NUL-bidi[H57]"),
        pytest.param("", None, id="empty"),
        pytest.param(["a"], None, id="list"),
        pytest.param(None, None, id="null"),
    ],
)
def test_cleaned(text: object, expected: str | None) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    "uri, expected",
    [
        pytest.param("javascript:alert(1)", None, id="javascript[H60]"),
        pytest.param("data:text/html,x", None, id="data[H60]"),
        pytest.param("https://idp.example/help?x=1", "https://idp.example/help?x=1", id="https[H60]"),
        pytest.param("https://idp.example/ x", None, id="space[H60]"),
        pytest.param("https://idp.example/" + "x" * 900, "https://idp.example/" + "x" * 900, id="long[H60]"),
        pytest.param("https://idp.example/" + "x" * 1000, None, id="too-long[H60]"),
        pytest.param(7, None, id="number[H60]"),
    ],
)
def test_only_an_address_of_the_web(uri: object, expected: str | None) -> None:
    assert clean_uri(uri) == expected


AWKWARD = 's3cret+with/"awkward"\\=<parts>&täil'


@pytest.mark.parametrize("name", sorted(SPELLINGS))
@pytest.mark.parametrize("field", ["error_description", "error", "error_uri"])
@pytest.mark.fault("H59", "F20")
def test_an_echoed_secret_is_not_repeated(field: str, name: str) -> None:
    body = {"error": "invalid_request", field: f"https://x.example/?{SPELLINGS[name](AWKWARD)}"}
    with pytest.raises(TokenEndpointError) as caught:
        Run(settings(client_secret=Secret(AWKWARD)), [http_response(body, 400)]).finish()
    everything = f"{caught.value} {vars(caught.value)} {caught.value.args}"
    # Characters are cleaned after redaction: what is left of an unknown spelling would be shorter.
    assert not disclosed(everything, [AWKWARD], size=6)


@pytest.mark.fault("H59")
def test_an_echoed_assertion_is_not_repeated() -> None:
    given = settings(auth_method="client_secret_jwt", client_secret=Secret(SECRET * 2))
    probe = Run(given, [http_response({"error": "invalid_request"}, 400)])
    with pytest.raises(TokenEndpointError):
        probe.finish()
    signed = probe.sent[0].request.redactor.values[-1]
    assert signed.count(".") == 2
    body = {"error": "invalid_request", "error_description": f"bad {signed}"}
    with pytest.raises(TokenEndpointError) as caught:
        Run(given, [http_response(body, 400)]).finish()  # the same entropy and clock: the same assertion
    assert caught.value.description == "bad ***"


@pytest.mark.fault("F20")
def test_a_text_is_redacted_before_it_is_cleaned_and_cut() -> None:
    secret = 'umläut-and-quote"-secret'
    redactor = Redactor([secret])
    assert clean(f"bad {secret}", redactor) == "bad ***"
    assert clean(f"bad {secret[:14]}", redactor) == WITHHELD
    assert clean(f"{'x' * 990} {secret}", redactor, most=993) == f"{'x' * 990}…"
    # A secret that is cut at the end of what is looked at at all is known only by its beginning.
    text = excerpt(f"{' ' * (64 * 1024 - 10)}{secret}", 64 * 1024, redactor)
    assert "umläut" not in text


@pytest.mark.parametrize(
    "text, most, expected",
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abc ***", 7, "abc ***"),
        ("abc *** x", 7, "abc…"),
        ("abc *** x", 8, "abc ***…"),
        ("abc de", 5, "abc…"),
    ],
)
def test_cut(text: str, most: int, expected: str) -> None:
    assert cut(text, most) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (7, "7"),
        ("one\r\n\x1b[31mtwo\u2028\u202ethree", "one [31mtwo three"),
        ("blanks  stay", "blanks  stay"),
    ],
)
def test_plain(value: object, expected: str) -> None:
    assert plain(value) == expected


@pytest.mark.fault("F20")
class TestExcerpt:
    """How much of a text is read for its beginning."""

    def test_a_value_longer_than_what_is_shown_is_known_whole(self) -> None:
        secret = "".join(f"{number:05}" for number in range(2_000))
        assert excerpt(f"bad {secret} end", 20, Redactor([secret])) == "bad *** end"

    def test_as_much_is_shown_as_was_asked_for(self) -> None:
        assert len(excerpt("x" * 200_000, 64 * 1024)) == 64 * 1024

    def test_what_is_cut_off_within_a_value_goes_with_its_beginning(self) -> None:
        """Eight characters of it are no window, by which it would be known."""
        secret = "".join(f"{number:05}" for number in range(1_638))
        read = 64 * 1024
        text = secret * 8 + "x" * (read - 8 * len(secret) - 8) + secret
        shown = excerpt(text, 1_000, Redactor([secret]))
        assert shown.startswith("***" * 8)
        assert "x0000" not in shown
