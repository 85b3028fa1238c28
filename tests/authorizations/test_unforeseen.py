"""Errors of no type of ours."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.authorizations.unforeseen import unforeseen


def test_its_text_is_seen_by_nobody_and_the_log_says_where(caplog: pytest.LogCaptureFixture) -> None:
    def backend() -> None:
        raise KeyError("the-password")

    try:
        backend()
    except KeyError as raised:
        error = unforeseen(raised, "orders", "checked")
    assert str(error) == 'Connection "orders": cannot be checked (KeyError)'
    assert error.__cause__ is None
    assert "backend (test_unforeseen.py:" in caplog.text
    assert "the-password" not in caplog.text
