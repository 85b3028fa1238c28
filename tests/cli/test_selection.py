"""``--failed``, ``--status``, ``--output`` and totals of ``list`` and ``check``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.utils.yaml import safe_load

from airflow_oauth_provider.authorizations import FAILED, AuthorizationStatus, Target, check_all
from airflow_oauth_provider.cli.definition import get_oauth2_cli_commands
from airflow_oauth_provider.cli.selection import Selection, status_after, totals
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.tokens.refusal_rules import DISABLED_AFTER
from tests.authorizations import test_description as descriptions
from tests.cli.arrangement import MARKS, SECRET, create
from tests.cli.commands import CommandLine
from tests.support.servers.scripted import Json, RecordedRequest, token_json
from tests.support.service import Service

pytestmark = [*MARKS, pytest.mark.fault("F50")]


@pytest.fixture
def three(cli: CommandLine, service: Service) -> CommandLine:
    """One connection that is authorized, one that is refused, and one that is wrong."""

    def respond(request: RecordedRequest) -> Any:
        return Json({"error": "invalid_scope"}, 400) if b"bad" in request.body else token_json("tok-secret")

    service.token = respond
    create(cli, service, "bad", "--set", "scope=bad")
    create(cli, service, "good")
    arguments = ("--conn-type", "oauth2_client_credentials", "--conn-host", "https://idp.example")
    cli("connections", "add", "wrong", *arguments)
    return cli


@pytest.mark.parametrize(
    "options, names",
    [
        pytest.param((), ["bad", "good", "wrong"], id="all"),
        pytest.param(("--failed",), ["bad", "wrong"], id="failed"),
        pytest.param(("--status", "authorized"), ["good"], id="status"),
        pytest.param(("--status", "Wrong configuration"), ["wrong"], id="status-as-displayed"),
        pytest.param(("--failed", "--status", "refused"), ["bad"], id="both"),
        pytest.param(("--failed", "--status", "authorized"), [], id="none"),
    ],
)
def test_lists_and_checks_show_what_is_selected(
    three: CommandLine, options: tuple[str, ...], names: list[str]
) -> None:
    listed = three("oauth2", "list", *options, "--json")
    assert [row["conn_id"] for row in listed.json] == names
    checked = three("oauth2", "check", "--all", *options, "--json")
    assert [row["conn_id"] for row in checked.json] == names
    assert "1 authorized, 1 refused, 1 wrong configuration." in checked.err
    assert checked.code == 1, "all are checked, whatever is shown"
    assert [row["status"] for row in checked.json] == [row["status"] for row in listed.json]


@pytest.mark.parametrize("command", [("list",), ("check", "--all")], ids=["list", "check"])
def test_each_output_shows_the_same_connections(three: CommandLine, command: tuple[str, ...]) -> None:
    as_json, short = (three("oauth2", *command, *more) for more in (("--json",), ("-o", "json")))
    as_yaml = three("oauth2", *command, "--output", "yaml")
    names = [row["conn_id"] for row in as_json.json]
    documents = [as_json.json, short.json, safe_load(as_yaml.out)]
    for document in documents:
        assert [row["conn_id"] for row in document] == names == ["bad", "good", "wrong"]
        assert {key: type(value) for key, value in document[1].items()} == {
            key: type(value) for key, value in as_json.json[1].items()
        }
    plain, table = (three("oauth2", *command, "--output", output) for output in ("plain", "table"))
    assert [line.split()[0] for line in plain.out.splitlines()] == ["name", *names]
    assert "|" in table.out
    assert "|" not in plain.out
    printed = [as_json, short, as_yaml, plain, table]
    assert not any(text in ended.out + ended.err for ended in printed for text in (SECRET, "tok-secret"))


def test_an_error_as_yaml(cli: CommandLine) -> None:
    ended = cli("oauth2", "check", "nobody", "--category", "x", "--output", "yaml")
    assert ended.code == 1
    assert [row["ok"] for row in safe_load(ended.out)] == [False]
    ended = cli("oauth2", "check", "--output", "yaml")
    assert (ended.code, safe_load(ended.out)["error"]["field"]) == (1, "CONN_ID")


@pytest.mark.parametrize("command", [("list",), ("check", "--all")], ids=["list", "check"])
def test_an_unknown_status_names_near_ones(cli: CommandLine, command: tuple[str, ...]) -> None:
    ended = cli("oauth2", *command, "--status", "refuse")
    assert (ended.code, "did you mean refused?" in ended.err) == (1, True)
    ended = cli("oauth2", *command, "--status", "zzz")
    assert all(status.value in ended.err for status in AuthorizationStatus)
    assert cli("oauth2", *command, "--output", "xml").code == 2


def test_the_help_names_every_status() -> None:
    (group,) = get_oauth2_cli_commands()
    (listing,) = (command for command in group.subcommands if command.name == "list")
    (option,) = (argument for argument in listing.args if "--status" in argument.flags)
    assert all(status.value in option.kwargs["help"] for status in AuthorizationStatus)


def test_totals_leave_out_what_there_is_none_of() -> None:
    authorized, refused, disabled = (
        AuthorizationStatus.AUTHORIZED,
        AuthorizationStatus.REFUSED,
        AuthorizationStatus.DISABLED,
    )
    statuses = [disabled, *[authorized] * 49, *[refused] * 3]
    assert totals(statuses) == "49 authorized, 3 refused, 1 disabled"
    assert totals([]) == ""


def test_nothing_asked_for_takes_all() -> None:
    assert all(Selection().takes(status) for status in AuthorizationStatus)
    assert {status for status in AuthorizationStatus if Selection(failed=True).takes(status)} == FAILED


def test_a_check_of_a_disabled_client_counts_as_disabled(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE_PATH", str(tmp_path / "store"))
    descriptions.refuse(service)
    target = Target.of(service.connection())
    statuses = []
    for _ in range(DISABLED_AFTER):
        (result,) = check_all([target])
        statuses.append(status_after(result, target, read_policy()))
        descriptions.TestStatus.let_the_refusal_lapse(target.connection)
    refused = AuthorizationStatus.REFUSED
    assert statuses == [refused] * (DISABLED_AFTER - 1) + [AuthorizationStatus.DISABLED]


def test_what_cannot_be_read_is_wrong() -> None:
    def read(conn_id: str) -> None:
        raise RuntimeError(conn_id)

    target = Target.read("one", read)
    (result,) = check_all([target])
    assert status_after(result, target, read_policy()) is AuthorizationStatus.WRONG


def test_a_category_that_there_is_not_names_near_ones(cli: CommandLine, service: Service) -> None:
    create(cli, service, "one", "--set", "category=finance")
    create(cli, service, "two", "--set", "category=finance")
    ended = cli("oauth2", "check", "--category", "finanse")
    assert (ended.code, "did you mean finance?" in ended.err) == (1, True)
    ended = cli("oauth2", "check", "--category", "zzz")
    assert (ended.code, "no connection has it\n" in ended.err) == (1, True)


@pytest.mark.fault("F46")
def test_advice_stands_once_and_documents_have_all_that_the_server_said(
    cli: CommandLine, service: Service
) -> None:
    said = f"AADSTS7000215: {'word ' * 100}Trace ID: 1234"
    service.token = lambda _: Json({"error": "invalid_client", "error_description": said}, 401)
    created = create(cli, service, "one")
    edited = cli("oauth2", "edit", "one", "--set", "category=finance")
    checked = cli("oauth2", "check", "one")
    advice = "Check client id and secret"
    texts = (created.err, edited.err, " ".join(checked.out.split()))
    assert [text.count(advice) for text in texts] == [1, 1, 1]
    assert "Trace ID: 1234" in created.err
    assert "Trace ID: 1234" not in checked.out, "a table cuts it"
    for output in ("json", "yaml"):
        (row,) = safe_load(cli("oauth2", "check", "one", "--output", output).out)
        assert "Trace ID: 1234" in row["error"]["message"]
        assert (advice in row["error"]["message"], advice in row["error"]["remedy"]) == (False, True)
