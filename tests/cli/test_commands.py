"""``airflow oauth2 …`` against a real metadata database."""

from __future__ import annotations

import base64
import json
import os
import pty
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import airflow
import pytest
from cryptography.fernet import Fernet

from airflow_oauth_provider.connection.fields import FIELDS
from tests.authorizations.foreign_store import FORGED, spoil
from tests.cli.commands import CommandLine
from tests.conftest import require_server
from tests.servers.certificates import pkcs12
from tests.servers.scripted import (
    Delay,
    Json,
    RecordedRequest,
    Redirect,
    ScriptedServer,
    Silent,
    Text,
    token_json,
)
from tests.service import Service
from tests.support.stopwatch import Stopwatch

VERSION = tuple(int(part) for part in airflow.__version__.split(".")[:2])
pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(VERSION < (3, 2), reason="providers bring commands since Airflow 3.2"),
]
SECRET = "the-client-secret-of-this-test"


@pytest.fixture(scope="module")
def airflow_cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with CommandLine(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def cli(airflow_cli: CommandLine) -> Iterator[CommandLine]:
    yield airflow_cli
    for each in airflow_cli("oauth2", "list", "--json").json:
        airflow_cli("oauth2", "forget", each["conn_id"])
        airflow_cli("connections", "delete", each["conn_id"])


def create(cli: CommandLine, service: Service, name: str, *more: str) -> Any:
    url = f"{service.server.url}/token"
    arguments = ("create", name, "--token-url", url, "--client-id", "my-client", "--secret-stdin", *more)
    return cli("oauth2", *arguments, stdin=f"{SECRET}\n")


def stored(cli: CommandLine, name: str) -> dict[str, Any]:
    exported = cli.home / "exported.json"
    cli("connections", "export", str(exported), "--file-format", "json")
    found: dict[str, Any] = json.loads(exported.read_text())[name]
    return found


@pytest.fixture
def sealed(cli: CommandLine, service: Service) -> Iterator[str]:
    """A connection as a deployment with another Fernet key has stored it; Airflow cannot even delete it."""
    password = Fernet(Fernet.generate_key()).encrypt(SECRET.encode()).decode()
    row = ("oauth2_client_credentials", f"{service.server.url}/token", "c", password, True, False, "{}")
    columns = "conn_id, conn_type, host, login, password, is_encrypted, is_extra_encrypted, extra"
    with closing(sqlite3.connect(cli.home / "airflow.db")) as database:
        with database:
            database.execute(
                f"INSERT INTO connection ({columns}) VALUES ('sealed', ?, ?, ?, ?, ?, ?, ?)", row
            )
        yield "sealed"
        with database:
            database.execute("DELETE FROM connection WHERE conn_id = 'sealed'")


class TestCreate:
    """Saves, then authorizes."""

    def test_it_writes_every_declared_key(self, cli: CommandLine, service: Service) -> None:
        given = ["scope=read write", "post_params=tenant=emea", "post_params=a=b", "include_scope=false"]
        given += ["max_retry_attempts=1", "category=finance"]
        more = [argument for each in given for argument in ("--set", each)]
        ended = create(cli, service, "orders", *more, "--description", "of the orders")
        assert ended.code == 0, ended.err
        assert "Authorized until  20" in ended.out
        found = stored(cli, "orders")
        extra = json.loads(found["extra"])
        assert list(extra) == [entry.key for entry in FIELDS], "or Airflow's form would hide the others"
        assert (extra["post_params"], extra["include_scope"]) == (["tenant=emea", "a=b"], False)
        assert (extra["max_retry_attempts"], extra["max_wait"], extra["audience"]) == (1, 60, None)
        assert found["password"] == SECRET
        assert found["description"] == "of the orders"
        (request,) = service.token_requests
        assert request.form["tenant"] == ["emea"]
        assert "scope" not in request.form

    @pytest.mark.parametrize(
        "given, key, found",
        [
            pytest.param(('post_params={"tenant": "emea"}',), "post_params", ["tenant=emea"], id="object"),
            pytest.param(('post_params=["tenant=emea"]',), "post_params", ["tenant=emea"], id="lines"),
            pytest.param(('post_params={"a": "b=c"}', "d=e"), "post_params", ["a=b=c", "d=e"], id="both"),
            pytest.param(('post_params={"a": " b"}',), "post_params", {"a": " b"}, id="spaces-that-count"),
            pytest.param(('post_params={"a": "b\\nc=d"}',), "post_params", {"a": "b\nc=d"}, id="line-break"),
            pytest.param(('jwt_claims={"a": "b=c"}',), "jwt_claims", ["a=b=c"], id="claims"),
            pytest.param(
                ('jwt_claims={"roles": ["a"]}',), "jwt_claims", {"roles": ["a"]}, id="claims-of-any-kind"
            ),
            pytest.param(('jwt_claims={"n": 1}', "a=b"), "jwt_claims", {"n": 1, "a": "b"}, id="claims-both"),
            pytest.param(('resource=["https://a.example"]',), "resource", ["https://a.example"], id="list"),
            pytest.param(("category= x ",), "category", "x", id="spaces"),
            pytest.param(("audience=",), "audience", None, id="empty"),
        ],
    )
    def test_values_as_json(
        self, given: tuple[str, ...], key: str, found: Any, cli: CommandLine, service: Service
    ) -> None:
        given = (given[0], *(f"{key}={value}" for value in given[1:]))
        more = [argument for each in given for argument in ("--set", each)]
        ended = create(cli, service, "orders", *more)
        assert ended.code == 0, ended.err
        assert json.loads(stored(cli, "orders")["extra"])[key] == found

    def test_secret_values_as_json(self, cli: CommandLine, service: Service) -> None:
        more = ("--set-env", "secret_params=ONE", "--set-env", "secret_params=TWO")
        url = f"{service.server.url}/token"
        arguments = ("x", "--token-url", url, "--client-id", "c", "--secret-env", "GIVEN", *more)
        for two, as_stored in (
            ('{"b": "c=d"}', "pin=1234\nb=c=d"),
            ('{"b": " c"}', '{"pin": "1234", "b": " c"}'),
        ):
            environment = {"GIVEN": SECRET, "ONE": "pin=1234", "TWO": two}
            ended = cli("oauth2", "create", *arguments, env=environment)
            assert ended.code == 0, ended.err
            assert json.loads(stored(cli, "x")["extra"])["secret_params"] == as_stored
            cli("connections", "delete", "x")
        assert service.token_requests[-1].form["b"] == [" c"]

    def test_a_refused_one_stays_saved(self, cli: CommandLine, service: Service) -> None:
        service.token = lambda _: Json({"error": "invalid_client", "error_description": "unknown"}, 401)
        ended = create(cli, service, "orders")
        assert ended.code == 1
        assert "invalid_client (unknown)" in ended.err
        assert "stays saved" in ended.err
        assert ended.out == ""
        assert stored(cli, "orders")["login"] == "my-client"
        (row,) = cli("oauth2", "list", "--json").json
        assert row["text"] == "Refused: invalid_client (unknown)"
        assert SECRET not in ended.err

    def test_as_json(self, cli: CommandLine, service: Service) -> None:
        found = create(cli, service, "orders", "--json").json
        assert (found["ok"], found["saved"], found["lifetime"]) == (True, True, 3600)

    @pytest.mark.parametrize(
        "name, more, says",
        [
            pytest.param("n" * 51, (), "at most 50 characters", id="long-name"),
            pytest.param("a b", (), "letters, digits", id="space-in-name"),
            pytest.param("..", (), "for a folder", id="dots-as-name"),
            pytest.param("x", ("--set", 'post_params={"a": '), "not valid JSON", id="broken-json"),
            pytest.param("x", ("--set", "resource={}"), "wrong kind", id="json-of-another-kind"),
            pytest.param("x", ("--set", "post_params=tenant"), "name=value", id="no-pair"),
            pytest.param(
                "x",
                ("--set", "jwt_claims=a=b", "--set", 'jwt_claims={"a": ["c"]}'),
                "a name twice",
                id="name-twice",
            ),
            pytest.param("x", ("--set", "scopes=read"), "does not know this key", id="unknown-key"),
            pytest.param("x", ("--set", "scope"), "KEY=VALUE", id="no-value"),
            pytest.param("x", ("--set", "max_wait=soon"), 'field "max_wait"', id="no-number"),
            pytest.param("x", ("--set", "scope=a", "--set", "scope=b"), "given twice", id="twice"),
            pytest.param("x", ("--set", "secret_params=pin=1"), "--set-env secret_params", id="secret"),
            pytest.param("x", ("--set-env", "private_key=NOT_SET_AT_ALL"), "not set", id="no-variable"),
            pytest.param("x", ("--set", "auth_method=private_key_jwt"), "private_key", id="no-key"),
            pytest.param("x", ("--secret-env", "HOME"), "together", id="two-secrets"),
        ],
    )
    def test_bad_input_is_neither_saved_nor_sent(
        self, name: str, more: tuple[str, ...], says: str, cli: CommandLine, service: Service
    ) -> None:
        ended = create(cli, service, name, *more)
        assert ended.code == 1
        assert says in ended.err
        assert SECRET not in ended.err
        assert service.server.requests == []
        assert cli("oauth2", "list", "--json").json == []

    def test_a_name_that_is_taken(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "orders")
        ended = create(cli, service, "orders", "--set", "scope=other", "--json")
        assert ended.code == 1
        assert "exists already" in ended.json["error"]["message"]
        assert len(service.token_requests) == 1

    def test_without_a_secret(self, cli: CommandLine) -> None:
        ended = cli("oauth2", "create", "x", "--token-url", "https://a.example", "--client-id", "b")
        assert ended.code == 1
        assert "--secret-stdin" in ended.err

    def test_secrets_from_the_environment(self, cli: CommandLine, service: Service) -> None:
        url = f"{service.server.url}/token"
        more = ("--client-id", "c", "--secret-env", "GIVEN", "--set-env", "secret_params=PIN")
        ended = cli(
            "oauth2", "create", "x", "--token-url", url, *more, env={"GIVEN": SECRET, "PIN": "pin=1234"}
        )
        assert ended.code == 0, ended.err
        assert service.token_requests[0].form["pin"] == ["1234"]
        assert stored(cli, "x")["password"] == SECRET

    def test_there_is_no_argument_for_a_secret(self, cli: CommandLine) -> None:
        ended = cli("oauth2", "create", "x", "--secret", "y")
        assert ended.code == 2


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

    def test_by_category(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "one", "--set", "category=finance")
        create(cli, service, "two")
        names = [each["conn_id"] for each in cli("oauth2", "list", "--json", "--category", "finance").json]
        assert names == ["one"]
        ended = cli("oauth2", "list", "--category", "none")
        assert (ended.code, ended.out.strip()) == (0, "No data found")

    def test_a_category_with_markup_and_control_characters(self, cli: CommandLine, service: Service) -> None:
        category = "[bold red]'\"<b>:key:\x1b[31m"
        create(cli, service, "one")
        found = stored(cli, "one")
        extra = json.loads(found["extra"]) | {"category": category}
        cli("connections", "delete", "one")
        more = ("--conn-login", "a", "--conn-password", SECRET, "--conn-host", found["host"])
        arguments = ("--conn-type", found["conn_type"], "--conn-extra", json.dumps(extra), *more)
        assert cli("connections", "add", "one", *arguments).code == 0
        ended = cli("oauth2", "list")
        assert "[bold red]'\"<b>:key:" in ended.out or "control characters" in ended.out
        assert "\x1b" not in ended.out + ended.err

    def test_one_under_another_fernet_key(self, cli: CommandLine, service: Service, sealed: str) -> None:
        create(cli, service, "one")
        rows = cli("oauth2", "list", "--json").json
        assert [(row["conn_id"], row["status"]) for row in rows] == [
            ("one", "authorized"),
            (sealed, "wrong_configuration"),
        ]
        assert "Fernet key" in rows[1]["text"]
        for arguments in (("--all",), (sealed, "one")):
            ended = cli("oauth2", "check", *arguments, "--json")
            found = {each["conn_id"]: each for each in ended.json}
            assert (ended.code, found["one"]["ok"], found[sealed]["ok"]) == (1, True, False)
            assert found[sealed]["error"]["field"] == "password"
            assert "Fernet key" in found[sealed]["message"]
        assert "exists already" in create(cli, service, sealed).err
        assert "Traceback" not in cli("oauth2", "forget", sealed).err

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

    def test_of_the_environment(self, cli: CommandLine, service: Service) -> None:
        ended = cli("oauth2", "check", "mine", env={"AIRFLOW_CONN_MINE": service.environment()})
        assert ended.code == 0, ended.out

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
        found = cli("oauth2", "check", "--category", "finance", "--json").json
        assert [each["conn_id"] for each in found] == ["one"]

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
        assert "access_token  ***" in ended.out
        assert "tok-1" not in ended.out + ended.err
        assert cli("oauth2", "token", "one", "--json").json["access_token"] == "***"
        assert len(service.token_requests) == 1, "it is the token that tasks use"

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


def test_forget_says_not_yet(cli: CommandLine, service: Service) -> None:
    create(cli, service, "one")
    assert cli("oauth2", "forget", "one", "--json").json == {"conn_id": "one", "ok": True}
    (row,) = cli("oauth2", "list", "--json").json
    assert row["status"] == "not_yet"


class TestDiscover:
    """What a server says of itself, from a real one."""

    def document(self, server: ScriptedServer, **changes: Any) -> Text:
        return Json({"issuer": server.url, "token_endpoint": f"{server.url}/token", **changes})

    def test_found(self, cli: CommandLine, scripted: ScriptedServer) -> None:
        says = {"grant_types_supported": ["implicit"]}
        says |= {"token_endpoint_auth_methods_supported": ["none", "private_key_jwt"]}
        scripted.script(Text(404), self.document(scripted, **says))
        ended = cli("oauth2", "discover", scripted.url)
        assert ended.code == 0, ended.err
        assert f"{scripted.url}/token" in ended.out
        assert "lacks client_credentials" in ended.err
        assert f"--token-url {scripted.url}/token" in ended.err
        assert "--set auth_method=private_key_jwt" in ended.err
        assert [request.target for request in scripted.requests] == [
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
        ]

    def test_as_json(self, cli: CommandLine, scripted: ScriptedServer) -> None:
        scripted.script(self.document(scripted))
        found = cli("oauth2", "discover", scripted.url, "--json").json
        assert found["token_endpoint"] == f"{scripted.url}/token"

    @pytest.mark.parametrize(
        "answer, says",
        [
            pytest.param(Redirect("https://evil.example/"), "HTTP status 302", id="redirect"),
            pytest.param(Text(200, b"x" * 300_000), "larger than 256 KiB", id="large"),
            pytest.param(Text(200, "<html>\x1b[31m", "text/html"), "not valid JSON", id="html"),
        ],
    )
    def test_no_document(self, answer: Any, says: str, cli: CommandLine, scripted: ScriptedServer) -> None:
        scripted.script(answer)
        ended = cli("oauth2", "discover", scripted.url)
        assert ended.code == 1
        assert says in ended.err
        assert "\x1b" not in ended.err

    def test_a_host_that_is_not_listed_is_not_asked(self, cli: CommandLine, scripted: ScriptedServer) -> None:
        allowed = {"AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS": "idp.example"}
        ended = cli("oauth2", "discover", scripted.url, env=allowed)
        assert ended.code == 1
        assert "allowed_token_hosts" in ended.err
        assert scripted.requests == []


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


def test_json_is_all_there_is_on_standard_output_however_much_is_logged(
    airflow_cli: CommandLine, service: Service
) -> None:
    create(airflow_cli, service, "one")
    ended = airflow_cli.alone("oauth2", "check", "one", "--json", "--verbose")
    assert ended.code == 0, ended.err
    start = 0 if VERSION >= (3, 3) else ended.out.index("[\n")
    assert [each["ok"] for each in json.loads(ended.out[start:])] == [True]
    assert "DEBUG" in ended.err.upper(), "it is still logged"
    assert SECRET not in ended.out + ended.err
    airflow_cli("oauth2", "forget", "one")
    airflow_cli("connections", "delete", "one")


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["table", "json"])
def test_ctrl_c_ends_it_and_shows_what_is_done(
    more: tuple[str, ...], cli: CommandLine, service: Service
) -> None:
    for number in range(6):
        create(cli, service, f"api_{number}", "--set", f"scope=scope-{number}")
    silent = threading.Event()

    def answer(request: RecordedRequest) -> Any:
        if request.form["scope"] == ["scope-0"]:
            return token_json()
        silent.set()
        return Silent()

    service.token = answer
    with cli.started("oauth2", "check", "--all", *more) as process:
        assert silent.wait(60)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        watch = Stopwatch()
        out, err = process.communicate(timeout=30)
    assert watch.seconds < 10, "two at leisure; each of those under way would wait for 15"
    assert process.returncode == 130, err
    assert "1 of 6 were checked" in err
    assert "Traceback" not in err
    if more and VERSION >= (3, 3):
        assert [each["conn_id"] for each in json.loads(out)] == ["api_0"]
    else:
        assert "api_0" in out
        assert "api_1" not in out


@pytest.mark.slow
def test_progress_on_a_terminal(cli: CommandLine, service: Service) -> None:
    for number in range(8):
        create(cli, service, f"api_{number}", "--set", f"scope=scope-{number}")
    service.token = lambda _: Delay(0.5, token_json())
    ours, theirs = pty.openpty()
    shown = bytearray()
    with cli.started("oauth2", "check", "--all", "--json", stderr=theirs) as process:
        os.close(theirs)
        reader = threading.Thread(target=_read_all, args=(ours, shown))
        reader.start()
        out, _ = process.communicate(timeout=60)
        reader.join(10)
    os.close(ours)
    assert process.returncode == 0
    assert "Checking" in shown.decode()
    percents = {int(found) for found in re.findall(rb"(\d+)%", shown)}
    assert len(percents) > 2, "it moves"
    assert len(json.loads(out[0 if VERSION >= (3, 3) else out.index("[\n") :])) == 8


def _read_all(terminal: int, shown: bytearray) -> None:
    with suppress(OSError):  # the other side is closed
        while got := os.read(terminal, 4096):
            shown += got


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def test_the_definitions_import_nothing_of_ours_but_themselves() -> None:
    program = (
        "import sys, airflow.cli.cli_config, airflow_oauth_provider; before = set(sys.modules);"
        "from airflow_oauth_provider.cli.definition import get_oauth2_cli_commands as commands; commands();"
        "print(sorted(set(sys.modules) - before))"
    )
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    definition = ("airflow_oauth_provider.cli", "airflow_oauth_provider.cli.definition")
    assert printed.stdout.strip().splitlines()[-1] == str(sorted(definition))


@pytest.mark.slow
def test_on_postgresql(service: Service, tmp_path: Any) -> None:
    from tests.cluster.main import postgres

    try:
        import psycopg2  # noqa: F401

        running = postgres()
        address = running.__enter__()
    except (ImportError, SystemExit) as missing:
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
