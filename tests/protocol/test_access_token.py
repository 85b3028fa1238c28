from __future__ import annotations

import copy
import pickle

import pytest

from airflow_oauth_provider.protocol.access_token import AS_ASKED, AccessToken, TokenState, scopes_text


def token(lifetime: float = 3600, *, issued_at: float = 1000.0, **more: object) -> AccessToken:
    return AccessToken("the-token", "Bearer", issued_at + lifetime, issued_at, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lifetime", "at", "state"),
    [
        pytest.param(3600, 0, TokenState.FRESH, id="new"),
        pytest.param(3600, 3299.9, TokenState.FRESH, id="before-the-window"),
        pytest.param(3600, 3300, TokenState.ADVISORY, id="window-of-300-s"),
        pytest.param(3600, 3540, TokenState.MANDATORY, id="margin-of-60-s"),
        pytest.param(3600, 3600, TokenState.EXPIRED, id="over"),
        pytest.param(100, 49.9, TokenState.FRESH, id="short-lived"),
        pytest.param(100, 50, TokenState.ADVISORY, id="half-of-a-short-life"),
        pytest.param(100, 90, TokenState.MANDATORY, id="tenth-of-a-short-life"),
        pytest.param(0, 0, TokenState.EXPIRED, id="no-life"),
        pytest.param(3600, -300, TokenState.FRESH, id="clocks-a-little-apart"),
        pytest.param(3600, -300.1, TokenState.EXPIRED, id="from-the-future"),
    ],
)
def test_how_fresh_it_is(lifetime: float, at: float, state: TokenState) -> None:
    assert token(lifetime).state(1000.0 + at) is state


def test_nothing_that_prints_it_shows_it() -> None:
    given = token()
    for text in (repr(given), str(given), f"{given}", f"{given:>80}", f"{[given]}"):
        assert "the-token" not in text


def test_it_is_not_pickled_and_a_copy_is_itself() -> None:
    given = token()
    assert copy.copy(given) is given
    assert copy.deepcopy({"token": given})["token"] is given
    with pytest.raises(TypeError, match="cannot be pickled") as caught:
        pickle.dumps(given)
    assert "the-token" not in str(caught.value)


def test_scopes_in_a_line() -> None:
    assert scopes_text(token(scopes=frozenset({"write", "read"}))) == "read write"
    assert scopes_text(token(scopes=frozenset({"read"}), scopes_stated=False)) == f"read ({AS_ASKED})"
    assert scopes_text(token(scopes_stated=False)) == ""
    many = token(scopes=frozenset(f"scope.{number}" for number in range(30_000)))
    assert len(scopes_text(many)) <= 2048 + 10


def test_names_that_other_libraries_know() -> None:
    token = AccessToken("the-token", "Bearer", 1234.9, 1000.0)
    assert (token.token, token.expires_on) == ("the-token", 1234)
