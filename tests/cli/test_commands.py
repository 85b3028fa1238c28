"""``airflow oauth2 …`` against a real metadata database."""

from __future__ import annotations

import base64
import json
import random
import signal
from typing import Any

import pytest

from tests.authorizations.foreign_store import FORGED, spoil
from tests.cli.arrangement import MARKS, SECRET, VERSION, create, in_days, stored
from tests.cli.commands import CommandLine
from tests.conftest import require_server
from tests.support.servers.certificates import pkcs12
from tests.support.servers.scripted import Json, RecordedRequest, Silent, Text, token_json
from tests.support.service import Service
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import until

pytestmark = MARKS


class TestList:
    """Lists with status; asks nobody."""

    def test_a_table(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one", "--set", "category=finance", "--set", "scope=read")
        create(cli, service, "two")
        asked = len(service.token_requests)
        ended = cli("oauth2", "list")
        first, _, one, two, *_ = ended.out.splitlines()
        assert [name.strip() for name in first.split("|")] == [
            *("name", "category", "token host", "method", "scope", "status", "last authorized")
        ]
        assert "finance" in one
        assert "client_secret_basic" in one
        assert "Authorized until" in two
        assert "allowed_token_hosts is empty" in ended.err
        assert "about the host" in ended.err
        assert len(service.token_requests) == asked

    @pytest.mark.fault("F22")
    @pytest.mark.parametrize("seed", range(5))
    def test_whatever_lies_in_the_store_lists_and_checks_go_on(
        self, cli: CommandLine, service: Service, seed: int
    ) -> None:
        names = ("crm", "ledger", "orders")
        for name in names:
            create(cli, service, name, "--set", f"scope={name}")
        spoil(cli.home / "oauth2_token_store", names, random.Random(seed))
        listed = cli("oauth2", "list", "--json")
        assert [row["conn_id"] for row in listed.json] == list(names)
        table = cli("oauth2", "list")
        assert (listed.code, table.code) == (0, 0), table.err
        assert FORGED not in listed.out + table.out
        checked = cli("oauth2", "check", "--all", "--json")
        assert checked.code == 0, checked.err
        assert [row["ok"] for row in checked.json] == [True] * 3
        assert {row["status"] for row in cli("oauth2", "list", "--json").json} == {"authorized"}

    def test_what_is_set_for_an_unusual_server_is_said(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one", "--set", "body_format=json", "--set", "answer_fields=scope=$.rights")
        ended = cli("oauth2", "check", "one")
        assert ended.code == 0, ended.err
        texts = ["body_format = json", "answer_fields = scope=$.rights"]
        assert f'"one" is set for an unusual server: {"; ".join(texts)}' in ended.err
        assert cli("oauth2", "check", "one", "--json").json[0]["unusual"] == texts

    def test_by_category(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one", "--set", "category=finance")
        create(cli, service, "two")
        names = [row["conn_id"] for row in cli("oauth2", "list", "--json", "--category", "finance").json]
        assert names == ["one"]
        ended = cli("oauth2", "list", "--category", "none")
        assert (ended.code, ended.out.strip()) == (0, "No data found")

    def test_a_category_with_markup_and_control_characters(self, cli: CommandLine, service: Service) -> None:
        category = "[bold red]'\"<b>:key:\x1b[31m"
        create(cli, service, "one")
        connection = stored(cli, "one")
        extra = json.loads(connection["extra"]) | {"category": category}
        cli("connections", "delete", "one")
        more = ("--conn-login", "a", "--conn-password", SECRET, "--conn-host", connection["host"])
        arguments = ("--conn-type", connection["conn_type"], "--conn-extra", json.dumps(extra), *more)
        assert cli("connections", "add", "one", *arguments).code == 0
        ended = cli("oauth2", "list")
        assert "[bold red]'\"<b>:key:" in ended.out or "control characters" in ended.out
        assert "\x1b" not in ended.out + ended.err

    def test_a_wrong_one_does_not_hide_the_others(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one")
        bad = ("--conn-type", "oauth2_client_credentials", "--conn-host", "https://idp.example")
        cli("connections", "add", "bad", *bad)
        rows = cli("oauth2", "list", "--json").json
        assert [row["status"] for row in rows] == ["wrong_configuration", "authorized"]
        assert 'field "login"' in rows[0]["text"]


class TestCheck:
    """A new token each; facts, not the token."""

    def test_by_name(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one")
        ended = cli("oauth2", "check", "one")
        assert ended.code == 0
        assert "Authorized until" in ended.out
        assert len(service.token_requests) == 2
        assert "tok-" not in ended.out + ended.err

    def test_all_and_one_fails(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "good", "--set", "scope=good")
        create(cli, service, "bad", "--set", "scope=bad")
        service.token = lambda request: (
            Json({"error": "invalid_scope"}, 400) if b"bad" in request.body else token_json("tok", scope="")
        )
        ended = cli("oauth2", "check", "--all", "--json")
        assert ended.code == 1
        bad, good = ended.json
        assert (bad["ok"], bad["error"]["error"], good["ok"]) == (False, "invalid_scope", True)
        assert good["missing_scopes"] == ["good"]
        assert any("allowed_token_hosts is empty" in warning for warning in good["warnings"])
        assert "Checked 2 of 2" in ended.err
        assert SECRET not in ended.out + ended.err

    @pytest.mark.fault("L25")
    def test_a_remembered_refusal_holds_until_it_is_forgotten(
        self, cli: CommandLine, service: Service
    ) -> None:
        create(cli, service, "one")
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        assert [cli("oauth2", "check", "one").code for _ in range(3)] == [1, 1, 1]
        assert len(service.token_requests) == 2
        assert cli("oauth2", "forget", "one").code == 0
        cli("oauth2", "check", "one")
        assert len(service.token_requests) == 3

    def test_by_category(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one", "--set", "category=finance")
        create(cli, service, "two")
        findings = cli("oauth2", "check", "--category", "finance", "--json").json
        assert [row["conn_id"] for row in findings] == ["one"]

    def test_a_certificate_that_ends_soon(self, cli: CommandLine, service: Service) -> None:
        service_of = {"SECRET": base64.b64encode(pkcs12(b"a passphrase", not_after=in_days(12.1))).decode()}
        url = ("--token-url", f"{service.server.url}/token", "--client-id", "c")
        key = ("--set", "auth_method=private_key_jwt", "--secret-env", "SECRET")
        more = ("--set-env", "private_key_passphrase=PASSPHRASE")
        given = service_of | {"PASSPHRASE": "a passphrase"}
        assert cli("oauth2", "create", "keyed", *url, *key, *more, env=given).code == 0
        create(cli, service, "other")
        for command in (("check", "--all"), ("list",)):
            table = " ".join(cli("oauth2", *command).out.split())
            assert table.count("certificate") == 1
        assert "ends in 12 days: renew it" in cli("oauth2", "check", "keyed").out

    def test_all_where_there_are_none(self, cli: CommandLine) -> None:
        for more in ((), ("--json",)):
            ended = cli("oauth2", "check", "--all", *more)
            assert ended.code == 0
            assert "no connections of this type in the metadata database" in ended.err
            assert "allowed_token_hosts is empty" in ended.err
        assert ended.json == []

    @pytest.mark.parametrize(
        "arguments, says",
        [
            pytest.param((), "--all", id="nothing-named"),
            pytest.param(("one", "--all"), "cannot be given together", id="named-and-all"),
            pytest.param(("--category", "nobody"), "no connection", id="empty-category"),
            pytest.param(("nobody",), "no such connection", id="unknown"),
        ],
    )
    def test_a_check_of_nothing_is_no_success(
        self, arguments: tuple[str, ...], says: str, cli: CommandLine
    ) -> None:
        ended = cli("oauth2", "check", *arguments)
        assert ended.code == 1
        assert says in ended.out + ended.err


class TestToken:
    """Facts, and the token only with ``--reveal``."""

    def test_masked(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one")
        ended = cli("oauth2", "token", "one")
        assert ended.code == 0
        assert "access_token ***" in " ".join(ended.out.split())
        assert "tok-1" not in ended.out + ended.err
        assert cli("oauth2", "token", "one", "--json").json["access_token"] == "***"
        assert len(service.token_requests) == 1, "it is the token that tasks use"

    @pytest.mark.fault("F50")
    def test_it_says_that_it_has_asked_the_server(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one")
        host = service.server.url.removeprefix("http://")
        said = f"No good token was kept: {host} was asked for one."
        kept = cli("oauth2", "token", "one", "--json")
        assert (kept.json["token_requests"], said in kept.err) == (0, False)
        cli("oauth2", "forget", "one")
        fetched = cli("oauth2", "token", "one", "--json")
        assert (fetched.json["token_requests"], said in fetched.err) == (1, True)
        cli("oauth2", "forget", "one")
        assert cli("oauth2", "token", "one", "--reveal").out == "tok-3\n", "alone, for scripts"
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        cli("oauth2", "forget", "one")
        refused = cli("oauth2", "token", "one")
        assert (refused.code, said in refused.err) == (1, True)
        assert len(service.token_requests) == 4

    def test_revealed(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one")
        assert cli("oauth2", "token", "one", "--reveal").out == "tok-1\n"
        assert cli("oauth2", "token", "one", "--reveal", "--json").json["access_token"] == "tok-1"

    def test_none_to_be_had(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one")
        cli("oauth2", "forget", "one", "--json")
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        ended = cli("oauth2", "token", "one", "--json")
        assert ended.code == 1
        assert ended.json["error"]["type"] == "InvalidClientError"


@pytest.mark.fault("F50")
def test_forget_prints_its_result_to_standard_output(cli: CommandLine, service: Service) -> None:
    create(cli, service, "one")
    ended = cli("oauth2", "forget", "one")
    assert ended.out == 'Connection "one": its token and last outcome are forgotten.\n'
    assert "are forgotten" not in ended.err


def test_forget_says_not_yet(cli: CommandLine, service: Service) -> None:
    create(cli, service, "one")
    assert cli("oauth2", "forget", "one", "--json").json == {"conn_id": "one", "ok": True}
    (row,) = cli("oauth2", "list", "--json").json
    assert row["status"] == "not_yet"


class TestForgetAndRevoke:
    """RFC 7009, where it is asked for."""

    def endpoint(self, service: Service, response: Any) -> str:
        plain = service._respond
        service.server.script(lambda r: response if r.target.startswith("/revoke") else plain(r))
        return f"{service.server.url}/revoke"

    def revocations(self, service: Service) -> list[RecordedRequest]:
        return [request for request in service.server.requests if request.target.startswith("/revoke")]

    def test_revoked(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one")
        given = ("oauth2", "forget", "one", "--revoke", "--endpoint", self.endpoint(service, Text(200)))
        ended = cli(*given, "--json")
        assert ended.json == {"conn_id": "one", "ok": True, "revoked": True}
        (request,) = self.revocations(service)
        assert request.form["token"] == ["tok-1"]
        assert "tok-1" not in ended.out + ended.err
        (row,) = cli("oauth2", "list", "--json").json
        assert row["status"] == "not_yet"
        assert cli(*given, "--json").json == {"conn_id": "one", "ok": True, "revoked": False}
        ended = cli(*given)
        assert ended.code == 0
        assert "are forgotten; there was no token to revoke." in ended.out
        assert len(self.revocations(service)) == 1

    def test_in_plain_words(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one")
        ended = cli("oauth2", "forget", "one", "--revoke", "--endpoint", self.endpoint(service, Text(200)))
        assert ended.code == 0
        assert "are forgotten; the token is revoked." in ended.out

    def test_refused(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one")
        refusal = Json({"error": "unsupported_token_type"}, 400)
        ended = cli(
            "oauth2", "forget", "one", "--revoke", "--endpoint", self.endpoint(service, refusal), "--json"
        )
        assert ended.code == 1
        assert ended.json["conn_id"] == "one"
        assert ended.json["ok"] is False
        assert ended.json["error"]["error"] == "unsupported_token_type"
        assert "may stay good until it ends" in str(ended.json["error"])

    @pytest.mark.parametrize(
        "given, reason",
        [
            pytest.param(("--revoke",), "is missing: give the address", id="no-endpoint"),
            pytest.param(
                ("--revoke", "--endpoint", "https://elsewhere.example"), "allowed_token_hosts", id="host"
            ),
            pytest.param(("--endpoint", "https://elsewhere.example"), "is for --revoke", id="endpoint-alone"),
        ],
    )
    def test_a_wrong_command_changes_nothing(
        self, given: tuple[str, ...], reason: str, cli: CommandLine, service: Service
    ) -> None:
        create(cli, service, "one")
        ended = cli("oauth2", "forget", "one", *given)
        assert ended.code == 1
        assert reason in ended.err
        (row,) = cli("oauth2", "list", "--json").json
        assert row["status"] == "authorized"
        cli("oauth2", "token", "one")
        assert len(service.token_requests) == 1


def test_the_program_itself(airflow_cli: CommandLine, service: Service) -> None:
    """The one test that starts ``airflow`` as people do: standard output is one JSON document.

    Airflow 3.2 itself logs there before, also in its own commands.
    """
    url = f"{service.server.url}/token"
    arguments = ("--token-url", url, "--client-id", "c", "--secret-stdin", "--json")
    ended = airflow_cli.alone("oauth2", "create", "whole", *arguments, stdin=SECRET)
    assert ended.code == 0, ended.err
    start = 0 if VERSION >= (3, 3) else ended.out.index("{\n")
    assert json.loads(ended.out[start:])["ok"] is True
    assert SECRET not in ended.out + ended.err
    airflow_cli("oauth2", "forget", "whole")
    airflow_cli("connections", "delete", "whole")


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["table", "json"])
def test_ctrl_c_ends_it_and_shows_what_is_done(
    more: tuple[str, ...], cli: CommandLine, service: Service
) -> None:
    for number in range(6):
        create(cli, service, f"api_{number}", "--set", f"scope=scope-{number}")

    def respond(request: RecordedRequest) -> Any:
        return token_json() if request.form["scope"] == ["scope-0"] else Silent()

    service.token = respond
    before = len(service.token_requests)
    with cli.started("oauth2", "check", "--all", *more) as process:
        # Four are under way at once: the fifth is when the first has ended, and is counted.
        until(lambda: len(service.token_requests) - before == 5, "the end of the first")
        process.send_signal(signal.SIGINT)
        watch = Stopwatch()
        out, err = process.communicate(timeout=30)
    assert watch.seconds < 10, "two at leisure; each of those under way would wait for 15"
    assert process.returncode == 130, err
    assert "1 of 6 were checked" in err
    assert "Traceback" not in err
    if more and VERSION >= (3, 3):
        assert [row["conn_id"] for row in json.loads(out)] == ["api_0"]
    else:
        assert "api_0" in out
        assert "api_1" not in out


@pytest.mark.slow
def test_on_postgresql(service: Service, tmp_path: Any) -> None:
    from tests.support.servers.missing import ServerMissingError
    from tests.support.servers.postgresql import postgres

    try:
        import psycopg2  # noqa: F401

        running = postgres()
        address = running.__enter__()
    except (ImportError, ServerMissingError) as missing:
        require_server(str(missing))
    try:
        with CommandLine(tmp_path, database=f"postgresql+psycopg2://{address}") as cli:
            assert create(cli, service, "one", "--set", "category=finance").code == 0
            assert cli("oauth2", "check", "--category", "finance").code == 0
            (row,) = cli("oauth2", "list", "--json").json
            assert row["status"] == "authorized"
            assert cli("oauth2", "forget", "one").code == 0
    finally:
        running.__exit__(None, None, None)
