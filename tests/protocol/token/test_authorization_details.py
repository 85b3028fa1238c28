"""Rich authorization requests (RFC 9396)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.protocol.private_token import details_of
from airflow_oauth_provider.protocol.token.authorization_details import (
    MAX_DETAILS,
    DetailsError,
    canonical,
    details_in,
    displayed,
    not_granted,
)
from airflow_oauth_provider.protocol.token.request import build_token_request
from airflow_oauth_provider.protocol.token.response import Granted, read_token_response
from tests.support.builders import NOW, SECRET, settings, token_response

ORDERS: dict[str, Any] = {"type": "orders", "actions": ["read", "write"]}
PAYMENT: dict[str, Any] = {"type": "payment", "amount": {"currency": "EUR", "value": 100}}


def text(*details: Any) -> str:
    return canonical(list(details))


def granted(requested: str | None, details: Any) -> Granted:
    given = settings(request={"rich_requests": requested})
    response = token_response(**({} if details is None else {"authorization_details": details}))
    return read_token_response(given, response, requested_at=NOW)


@pytest.mark.fault("C56")
@pytest.mark.parametrize(
    "value",
    [
        {"type": "orders"},
        "orders",
        7,
        [],
        ["orders"],
        [{"actions": []}],
        [{"type": 7}],
        [{"type": " "}],
        [ORDERS, {"type": None}],
    ],
    ids=repr,
)
def test_what_are_no_authorization_details(value: Any) -> None:
    with pytest.raises(DetailsError, match="RFC 9396 §2"):
        canonical(value)


def test_too_many() -> None:
    with pytest.raises(DetailsError, match="KiB"):
        canonical([{"type": "x" * MAX_DETAILS}])


def test_one_spelling_for_all() -> None:
    assert canonical([{"b": [1, 2], "type": "x"}]) == canonical([{"type": "x", "b": [1, 2]}])
    assert canonical([{"b": [2, 1], "type": "x"}]) != canonical([{"type": "x", "b": [1, 2]}])


def test_they_are_sent_as_one_parameter() -> None:
    given = settings(request={"rich_requests": text(ORDERS, PAYMENT), "scope": ("read",)})
    request = build_token_request(given, given.server.url, now=NOW, entropy=bytes)
    fields = dict(pair.split("=") for pair in request.body.decode().split("&"))
    assert fields.keys() == {"grant_type", "scope", "authorization_details"}
    assert "%22type%22%3A%22orders%22" in fields["authorization_details"]


@pytest.mark.fault("T30")
@pytest.mark.parametrize(
    ("offered", "missing"),
    [
        pytest.param([ORDERS, PAYMENT], (), id="the-same"),
        pytest.param([PAYMENT, ORDERS], (), id="another-order"),
        pytest.param([{**ORDERS, "actions": ["write", "read", "x"]}, {**PAYMENT, "id": 7}], (), id="more"),
        pytest.param([ORDERS], ("payment",), id="one-less"),
        pytest.param([{**ORDERS, "actions": ["read"]}, PAYMENT], ("orders",), id="an-action-less"),
        pytest.param(
            [ORDERS, {"type": "payment", "amount": {"currency": "EUR", "value": 10}}],
            ("payment",),
            id="another-amount",
        ),
        pytest.param(
            [ORDERS, {"type": "payment", "amount": {"currency": "EUR", "value": True}}],
            ("payment",),
            id="another-kind",
        ),
        pytest.param([{"type": "orders"}, {"type": "payment"}], ("orders", "payment"), id="bare-types"),
    ],
)
def test_what_was_not_granted(offered: list[Any], missing: tuple[str, ...]) -> None:
    requested = text(ORDERS, PAYMENT)
    assert not_granted(requested, canonical(offered)) == missing
    brought = granted(requested, offered)
    assert details_of(brought.token) == canonical(offered)
    if canonical(offered) == requested:
        assert brought.warnings == ()
    elif missing:
        assert brought.warnings[0].endswith(f"without {', '.join(missing)}")
    else:
        assert "more" in brought.warnings[0]
    assert not any("EUR" in line for line in brought.warnings), "details may hold personal data"


@pytest.mark.fault("T30")
@pytest.mark.parametrize(
    ("requested", "details", "says"),
    [
        pytest.param(text(ORDERS), None, "may have ignored rich_requests", id="silent"),
        pytest.param(text(ORDERS), "orders", "must be a JSON array", id="text"),
        pytest.param(text(ORDERS), [{"type": 7}], "must be a JSON array", id="no-type"),
        pytest.param(text(ORDERS), [{"type": "x" * MAX_DETAILS}], "16 KiB", id="endless"),
        pytest.param(text(ORDERS), [{**ORDERS, "echo": SECRET}], "repeats a secret", id="secret"),
        pytest.param(text(ORDERS), [{**ORDERS, "echo": "tok-1-of-this-server"}], "the token", id="token"),
        pytest.param(None, [{"type": SECRET}], "repeats a secret", id="unasked-secret"),
    ],
)
def test_details_that_cannot_be_kept_are_reported_and_the_token_is_good(
    requested: str | None, details: Any, says: str
) -> None:
    given = settings(request={"rich_requests": requested})
    members = {} if details is None else {"authorization_details": details}
    response = token_response(access_token="tok-1-of-this-server", **members)
    brought = read_token_response(given, response, requested_at=NOW)
    assert details_of(brought.token) is None
    (warning,) = brought.warnings
    assert says in warning
    assert SECRET not in warning


def test_nobody_asked_and_the_server_says_nothing() -> None:
    assert granted(None, None).warnings == ()


def test_what_was_granted_unasked_is_kept() -> None:
    brought = granted(None, [ORDERS])
    assert (details_of(brought.token), brought.warnings) == (text(ORDERS), ())


@pytest.mark.parametrize("stored", [None, "", "x", "{}", "[]", '[{"type": 1}]', "[" * 100])
def test_a_store_that_says_something_else(stored: str | None) -> None:
    assert details_in(stored) == []
    assert displayed(stored) == ()
    assert not_granted(text(ORDERS), stored) == (() if stored is None else ("orders",))


def test_for_people() -> None:
    (line,) = displayed(json.dumps([{"type": "zahlung\x1b[31m", "für": "Miete\u202e"}]))
    assert line == '{"type": "zahlung\\u001b[31m", "für": "Miete "}'
