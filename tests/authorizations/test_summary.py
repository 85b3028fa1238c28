"""The report in the task's log."""

from __future__ import annotations

from airflow_oauth_provider.authorizations.summary import markdown


def test_the_summary_keeps_its_table_whole() -> None:
    finding = {
        "conn_id": "a|b",
        "category": "x\ny",
        "outcome": "failed",
        "ok": False,
        "message": "line\n| break",
        "error": {"remedy": "Do\n| this."},
        "expires_at": None,
        "token_host": "h",
        "warnings": ["w\nx"],
    }
    text = markdown({"checked": 1, "failed": 1, "with_warnings": 0, "connections": [finding], "notes": []})
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows[-1] == r"| a\|b | x y | **failed** |  | h |"
    assert r"- a\|b: line \| break. Do \| this." in text.splitlines()
