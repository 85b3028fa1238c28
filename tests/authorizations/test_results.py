"""What came of a check, for people and as JSON."""

from __future__ import annotations

import json
import time

import pytest

from airflow_oauth_provider.authorizations import CheckResult
from airflow_oauth_provider.exceptions import ConfigurationError, TokenEndpointError, TransportError

LONG = "word " * 300
REFUSED = TokenEndpointError("refused", status=400, error="invalid_scope", description=LONG.strip())


def test_a_token_that_lacks_scopes() -> None:
    result = CheckResult("orders", expires_at=time.time() + 60, granted=("a",), missing=("b", "c"))
    assert result.ok
    assert result.message.startswith("Authorized until ")
    assert result.message.endswith("Asked for, but not granted: b c.")
    assert result.report()["missing_scopes"] == ["b", "c"]


@pytest.mark.fault("F46")
def test_one_line_cuts_the_reason_and_keeps_the_advice() -> None:
    result = CheckResult("orders", error=REFUSED.with_advice("change the scope"))
    assert len(result.message) < 300
    assert result.message.endswith("word…. Change the scope.")
    report = json.loads(json.dumps(result.report()))
    assert report["message"] == f"invalid_scope ({LONG.strip()})", "JSON has it whole"
    assert report["error"]["remedy"] == "Change the scope."


def test_what_displays_show_besides_is_short() -> None:
    refused = CheckResult("orders", error=REFUSED)
    assert (refused.displayed, refused.headline) == (True, "Not authorized: invalid_scope")
    silent = CheckResult("orders", error=TransportError("no response"))
    assert (silent.displayed, silent.headline) == (True, "Not authorized")
    wrong = CheckResult("orders", error=ConfigurationError("is missing", field="host"))
    assert (wrong.displayed, wrong.headline) == (False, "Not authorized: is missing")
