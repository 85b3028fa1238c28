"""What Airflow is called for, and in which thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook


def noted_airflow_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return a list that grows with each call: ``read`` or ``mask``, and the number of the thread."""
    calls: list[tuple[str, int]] = []

    def noted(name: str, called: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append((name, threading.get_ident()))
            return called(*args, **kwargs)

        return call

    if hasattr(BaseHook, "aget_connection"):
        monkeypatch.setattr(BaseHook, "aget_connection", noted("read", BaseHook.aget_connection))
    monkeypatch.setattr(BaseHook, "get_connection", noted("read", BaseHook.get_connection))
    try:
        from airflow.sdk import log as masks
    except ImportError:  # Airflow 3.0
        from airflow.sdk.execution_time import secrets_masker as masks
    for name in ("mask_secret", "amask_secret"):
        if hasattr(masks, name):
            monkeypatch.setattr(masks, name, noted("mask", getattr(masks, name)))
    return calls
