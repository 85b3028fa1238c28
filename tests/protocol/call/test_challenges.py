from __future__ import annotations

import pytest

from airflow_oauth_provider.protocol.call.challenges import of_scheme, parse_challenges


@pytest.mark.parametrize(
    ("values", "challenges"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["Bearer"], [("bearer", {})], id="scheme-alone"),
        pytest.param(['Bearer realm="a"'], [("bearer", {"realm": "a"})], id="one-parameter"),
        pytest.param(
            ['bearer ERROR=invalid_token, error_description="it \\"ended\\""'],
            [("bearer", {"error": "invalid_token", "error_description": 'it "ended"'})],
            id="case-token-and-quoted",
        ),
        pytest.param(
            ['Basic realm="x, y=z", Bearer scope="a b"'],
            [("basic", {"realm": "x, y=z"}), ("bearer", {"scope": "a b"})],
            id="two-in-one-header",
        ),
        pytest.param(["Basic, Bearer"], [("basic", {}), ("bearer", {})], id="two-schemes-alone"),
        pytest.param(
            ["Negotiate YII=", "DPoP algs=ES256"],
            [("negotiate", {}), ("dpop", {"algs": "ES256"})],
            id="credentials-and-two-headers",
        ),
        pytest.param(['realm="a"'], [], id="parameter-without-scheme"),
        pytest.param(["@@"], [], id="no-scheme"),
        pytest.param([", ,Bearer ,"], [("bearer", {})], id="empty-elements"),
    ],
)
def test_what_is_read(values: list[str], challenges: list[tuple[str, dict[str, str]]]) -> None:
    parsed = parse_challenges(values)
    assert [(challenge.scheme, challenge.parameters) for challenge in parsed] == challenges


@pytest.mark.fault("F71")
def test_a_scheme_is_shown_as_the_server_has_written_it() -> None:
    assert [challenge.name for challenge in parse_challenges(["DPoP, BEARER, hoba"])] == [
        "DPoP",
        "BEARER",
        "hoba",
    ]


def test_an_endless_header_is_read_to_8_kib() -> None:
    (challenge,) = parse_challenges(["Bearer " + ", ".join(f"p{number}=x" for number in range(100_000))])
    assert 500 < len(challenge.parameters) < 1100


def test_the_first_bearer_counts() -> None:
    bearer = of_scheme(parse_challenges(["Basic", 'Bearer realm="1"', 'Bearer realm="2"']), "bearer")
    assert bearer is not None
    assert bearer.parameters == {"realm": "1"}
    assert of_scheme(parse_challenges(["Basic"]), "bearer") is None
