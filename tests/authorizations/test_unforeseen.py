"""Errors of no type of ours."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.authorizations.unforeseen import unforeseen


def test_its_text_is_seen_by_nobody_and_the_log_says_where(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise KeyError("a-client-secret")
    except KeyError as error:
        typed = unforeseen(error, "orders", "described")
    assert str(typed) == 'Connection "orders": cannot be described (KeyError)'
    assert "test_its_text_is_seen_by_nobody" in caplog.text
    assert "a-client-secret" not in caplog.text
