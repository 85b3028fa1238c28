"""``airflow oauth2 check --verbose``: each step of what it does anyway."""

from __future__ import annotations

from tests.cli.arrangement import MARKS, SECRET, create
from tests.cli.commands import CommandLine
from tests.support.servers.scripted import Json
from tests.support.service import Service

pytestmark = MARKS


def test_a_table(cli: CommandLine, service: Service) -> None:
    create(cli, service, "one")
    asked = len(service.token_requests)
    ended = cli("oauth2", "check", "one", "--verbose")
    assert ended.code == 0, ended.err
    for text in ("Settings read", "Name resolved", "[127.0.0.1]", "HTTP status 200", "Scopes"):
        assert text in ended.out
    assert len(service.token_requests) == asked + 1
    assert "Settings read" not in cli("oauth2", "check", "one").out


def test_json(cli: CommandLine, service: Service) -> None:
    create(cli, service, "one")
    service.token = lambda _: Json({"error": "invalid_client", "error_description": SECRET}, 401)
    ended = cli("oauth2", "check", "one", "--verbose", "--json")
    assert ended.code == 1
    steps = ended.json[0]["steps"]
    assert [step["step"] for step in steps if not step["ok"]] == ["token"]
    assert "invalid_client" in steps[-1]["text"]
    assert SECRET not in ended.out
    assert "steps" not in cli("oauth2", "check", "one", "--json").json[0]
