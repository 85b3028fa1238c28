"""Connections that tests of commands create, and what those tests have in common."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import airflow
import pytest

from tests.cli.commands import CommandLine
from tests.support.service import Service

VERSION = tuple(int(part) for part in airflow.__version__.split(".")[:2])

MARKS = [
    pytest.mark.xdist_group("cli"),  # one process runs all commands
    pytest.mark.airflow,
    pytest.mark.skipif(VERSION < (3, 2), reason="providers bring commands since Airflow 3.2"),
]

SECRET = "the-client-secret-of-this-test"


def create(cli: CommandLine, service: Service, name: str, *more: str) -> Any:
    url = f"{service.server.url}/token"
    arguments = ("create", name, "--token-url", url, "--client-id", "my-client", "--secret-stdin", *more)
    return cli("oauth2", *arguments, stdin=f"{SECRET}\n")


def stored(cli: CommandLine, name: str) -> dict[str, Any]:
    exported = cli.home / "exported.json"
    cli("connections", "export", str(exported), "--file-format", "json")
    connection: dict[str, Any] = json.loads(exported.read_text())[name]
    return connection


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)
