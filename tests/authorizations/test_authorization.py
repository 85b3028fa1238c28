"""The state of an authorization in words and as JSON."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import LABELS, Authorization, AuthorizationStatus, Refusal


def test_every_state_has_a_label() -> None:
    assert set(LABELS) == set(AuthorizationStatus)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"status": AuthorizationStatus.NOT_YET}, "Not yet"),
        ({"status": AuthorizationStatus.EDITED}, "Edited since it was last used"),
        ({"status": AuthorizationStatus.REFUSED, "reason": "no"}, "Refused: no"),
        (
            {"status": AuthorizationStatus.DISABLED, "reason": "no", "in_a_row": 5},
            "Disabled: no, 5 times in a row",
        ),
        ({"status": AuthorizationStatus.NOT_YET, "verified": False}, "Not yet (unverified)"),
    ],
)
def test_in_words(fields: dict[str, Any], text: str) -> None:
    assert Authorization("orders", **fields).text == text


@pytest.mark.fault("F73")
@pytest.mark.parametrize(("stated", "granted"), [(True, ("a",)), (False, ("a",)), (False, ())])
def test_scopes_that_the_server_did_not_name_are_as_asked(stated: bool, granted: tuple[str, ...]) -> None:
    state = Authorization(
        "orders",
        AuthorizationStatus.AUTHORIZED,
        granted=granted,
        scopes_stated=stated,
        expires_at=time.time() + 60,
    )
    asked = bool(granted) and not stated
    assert ("scopes as asked; the server did not say" in state.text) is asked


def test_as_json_it_has_all() -> None:
    refusal = Refusal(0.0, "reason", "remedy", "text", error="invalid_scope", status=400)
    state = Authorization("orders", AuthorizationStatus.REFUSED, scope=("a",), refusal=refusal)
    report = json.loads(json.dumps(state.report()))
    assert (report["status"], report["refusal"]["at"]) == ("refused", "1970-01-01T00:00:00+00:00")
    assert report["verified"] is True
