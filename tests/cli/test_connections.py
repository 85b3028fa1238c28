"""Connections as commands find them."""

from __future__ import annotations

from tests.cli.arrangement import MARKS, create
from tests.cli.commands import CommandLine
from tests.support.service import Service

pytestmark = MARKS


def test_one_under_another_fernet_key(cli: CommandLine, service: Service, sealed: str) -> None:
    create(cli, service, "one")
    rows = cli("oauth2", "list", "--json").json
    assert [(row["conn_id"], row["status"]) for row in rows] == [
        ("one", "authorized"),
        (sealed, "wrong_configuration"),
    ]
    assert "Fernet key" in rows[1]["text"]
    for arguments in (("--all",), (sealed, "one")):
        ended = cli("oauth2", "check", *arguments, "--json")
        findings = {row["conn_id"]: row for row in ended.json}
        assert (ended.code, findings["one"]["ok"], findings[sealed]["ok"]) == (1, True, False)
        assert findings[sealed]["error"]["field"] == "password"
        assert "Fernet key" in findings[sealed]["message"]
    assert "exists already" in create(cli, service, sealed).err
    assert "Traceback" not in cli("oauth2", "forget", sealed).err


def test_of_the_environment(cli: CommandLine, service: Service) -> None:
    ended = cli("oauth2", "check", "mine", env={"AIRFLOW_CONN_MINE": service.environment()})
    assert ended.code == 0, ended.out


def test_a_name_that_is_nearly_one(cli: CommandLine, service: Service) -> None:
    create(cli, service, "orders_api")
    for command in (("check",), ("token",), ("forget",), ("used-by",), ("edit", "--set", "scope=a")):
        ended = cli("oauth2", command[0], "order_api", *command[1:])
        assert ended.code == 1
        assert "the metadata database has orders_api" in " ".join((ended.out + ended.err).split())
