"""What the command says has changed since it last ran."""

from __future__ import annotations

from tests.cli.arrangement import MARKS, create
from tests.cli.commands import CommandLine
from tests.support.servers.scripted import Json, token_json
from tests.support.service import Service

pytestmark = MARKS


def test_it_tells_what_is_new_and_what_has_recovered(cli: CommandLine, service: Service) -> None:
    create(cli, service, "changing", "--set", "scope=read")
    create(cli, service, "steady", "--set", "scope=write")
    first = cli("oauth2", "check", "--all", "--json")
    assert [row["change"] for row in first.json] == ["first", "first"]
    again = cli("oauth2", "check", "--all", "--changes")
    assert (again.code, again.out.strip()) == (0, ""), "no news, no mail of cron"

    service.token = lambda request: (
        Json({"error": "invalid_scope"}, 400) if b"read" in request.body else token_json()
    )
    failed = cli("oauth2", "check", "--all", "--changes")
    assert failed.code == 1
    assert "changing" in failed.out
    assert "steady" not in failed.out
    assert 'Connection "changing" has changed: invalid_scope' in failed.err
    assert "(new since the last check)" in failed.err
    lasting = cli("oauth2", "check", "--all", "--changes")
    assert (lasting.code, lasting.out.strip()) == (1, ""), "it fails still"
    assert "has changed" not in lasting.err

    service.token = lambda _: token_json()
    cli("oauth2", "forget", "changing")
    recovered = cli("oauth2", "check", "changing")
    assert recovered.code == 0, recovered.err
    assert 'Connection "changing" has changed: recovered: failing since 20' in recovered.err
