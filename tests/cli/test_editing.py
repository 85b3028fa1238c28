"""``airflow oauth2 edit``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import ConnectionValues
from airflow_oauth_provider.cli.editing import edited
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.cli.arrangement import MARKS, SECRET, create, stored
from tests.cli.commands import CommandLine
from tests.support.keys import RSA, pem
from tests.support.servers.scripted import Json, ScriptedServer, token_json
from tests.support.service import Service

pytestmark = MARKS

NEW = "another-client-secret-of-this-test"


def extra(cli: CommandLine, name: str = "orders") -> dict[str, Any]:
    given: dict[str, Any] = json.loads(stored(cli, name)["extra"])
    return given


class TestEdit:
    """Saves, then authorizes."""

    def test_what_is_not_given_stays(self, cli: CommandLine, service: Service) -> None:
        create(
            cli, service, "orders", "--set", "scope=read", "--set", "category=finance", "--description", "A"
        )
        ended = cli("oauth2", "edit", "orders", "--set", "scope=write", "--set", "category=")
        assert ended.code == 0, ended.err
        assert "Authorized until " in ended.out
        connection = stored(cli, "orders")
        assert (connection["password"], connection["login"], connection["description"]) == (
            *(SECRET, "my-client", "A"),
        )
        assert (extra(cli)["scope"], extra(cli)["category"]) == ("write", None)
        assert [request.form["scope"] for request in service.token_requests] == [["read"], ["write"]]
        (row,) = cli("oauth2", "list", "--json").json
        assert (row["status"], row["scope"]) == ("authorized", ["write"])

    def test_a_new_secret_and_client(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "orders")
        arguments = ("--client-id", "other", "--description", "B", "--secret-stdin", "--json")
        ended = cli("oauth2", "edit", "orders", *arguments, stdin=f"{NEW}\n")
        assert (ended.code, ended.json["saved"]) == (0, True)
        connection = stored(cli, "orders")
        assert [connection[name] for name in ("password", "login", "description")] == [NEW, "other", "B"]
        assert NEW not in ended.out + ended.err

    def test_a_refused_one_stays_saved_with_its_error(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "orders")
        service.token = lambda _: Json({"error": "invalid_scope", "error_description": "unknown"}, 400)
        ended = cli("oauth2", "edit", "orders", "--set", "scope=nothing")
        assert (ended.code, ended.out) == (1, "")
        assert "invalid_scope (unknown)" in ended.err
        assert "stays saved" in ended.err
        assert extra(cli)["scope"] == "nothing"
        (row,) = cli("oauth2", "list", "--json").json
        assert row["text"] == "Refused: invalid_scope (unknown)"

    def test_another_host_gets_no_stored_secret(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "orders")
        with ScriptedServer() as other:
            other.script(token_json())
            arguments = ("edit", "orders", "--token-url", f"{other.url}/token")
            ended = cli("oauth2", *arguments)
            assert ended.code == 1
            assert "token host changed" in ended.err
            assert "by --secret-stdin or --secret-env" in ended.err
            assert other.requests == []
            assert stored(cli, "orders")["host"] == f"{service.server.url}/token"
            ended = cli("oauth2", *arguments, "--secret-env", "GIVEN", env={"GIVEN": NEW})
            assert ended.code == 0, ended.err
            assert len(other.requests) == 1
        assert (stored(cli, "orders")["password"], len(service.token_requests)) == (NEW, 1)

    def test_another_path_of_the_host_is_no_other_host(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "orders")
        url = f"{service.server.url}/token?version=2"
        ended = cli("oauth2", "edit", "orders", "--token-url", url)
        assert ended.code == 0, ended.err
        assert stored(cli, "orders")["host"] == url

    def test_from_a_secret_to_a_key(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "orders")
        key = pem(RSA)
        arguments = ("edit", "orders", "--set", "auth_method=private_key_jwt")
        ended = cli("oauth2", *arguments, "--set-env", "private_key=KEY", env={"KEY": key})
        assert ended.code == 0, ended.err
        assert not stored(cli, "orders")["password"], "a secret beside a key is refused"
        assert "client_assertion" in service.token_requests[-1].form
        assert key.splitlines()[1] not in ended.out + ended.err

    @pytest.mark.parametrize(
        "arguments, says",
        [
            pytest.param((), "say what is to change", id="nothing"),
            pytest.param(("--set", "scpe=a"), "did you mean scope?", id="near-key[F50]"),
            pytest.param(("--set", "max_wait=soon"), 'field "max_wait"', id="no-number"),
            pytest.param(("--set", "secret_params=pin=1"), "--set-env secret_params", id="secret"),
            pytest.param(("--tenant", "acme"), "has no place", id="tenant"),
            pytest.param(
                ("--token-url", "https://a.example", "--discovery", "https://b.example"),
                "exclude each",
                id="two",
            ),
            pytest.param(("--set", "auth_method=client_secret_post"), "method changed", id="method"),
            pytest.param(("--set-env", "proxy_url=PROXY"), "proxy changed", id="proxy"),
            pytest.param(("--set", "verify_tls=false"), "verification of TLS changed", id="verification"),
            pytest.param(("--set", "discovery=true"), "token host changed", id="discovery"),
        ],
    )
    def test_bad_input_is_neither_saved_nor_sent(
        self, arguments: tuple[str, ...], says: str, cli: CommandLine, service: Service
    ) -> None:
        create(cli, service, "orders")
        before = stored(cli, "orders")
        ended = cli("oauth2", "edit", "orders", *arguments, env={"PROXY": "http://proxy.example:3128"})
        assert ended.code == 1
        assert says in ended.err
        assert SECRET not in ended.err
        assert stored(cli, "orders") == before
        assert len(service.token_requests) == 1

    def test_all_that_is_wrong_is_named_at_once(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "orders")
        before = stored(cli, "orders")
        given = ("--set", "max_wait=soon", "--set", 'scope="', "--token-url", "ftp://other.example")
        ended = cli("oauth2", "edit", "orders", *given, "--json")
        error = ended.json["error"]
        assert (ended.code, error["wrong"].keys()) == (1, {"max_wait", "", "host", "scope"})
        assert "by --secret-stdin or --secret-env" in error["wrong"][""]
        assert SECRET not in ended.out + ended.err
        assert (stored(cli, "orders"), len(service.token_requests)) == (before, 1)

    def test_what_is_not_in_the_database(self, cli: CommandLine, service: Service, sealed: str) -> None:
        arguments = ("--set", "scope=read")
        assert "there is no such connection" in cli("oauth2", "edit", "nobody", *arguments).err
        ended = cli("oauth2", "edit", sealed, *arguments)
        assert (ended.code, "Fernet key" in ended.err) == (1, True)
        create(cli, service, "mine")
        ended = cli("oauth2", "edit", "mine", *arguments, env={"AIRFLOW_CONN_MINE": service.environment()})
        assert (ended.code, "tasks read it from the environment" in ended.err) == (1, True)
        assert len(service.token_requests) == 1


def values(host: str = "https://idp.example/token", **given: Any) -> ConnectionValues:
    password = given.pop("password", SECRET)
    return ConnectionValues(
        "x", conn_type=CONNECTION_TYPE, host=host, login="c", password=password, extra=json.dumps(given)
    )


def arguments(**given: Any) -> Any:
    from argparse import Namespace

    names = ("token_url", "discovery", "preset", "tenant", "client_id", "secret_env", "key_file")
    nothing = dict.fromkeys((*names, "passphrase_env", "description"))
    return Namespace(**nothing | {"secret_stdin": False, "set": [], "set_env": []} | given)


@pytest.mark.parametrize(
    "before, given, missing",
    [
        pytest.param(
            {"secret_params": "pin=1"}, {"token_url": "https://b.example"}, "secret_params", id="parameters"
        ),
        pytest.param(
            {"secret_headers": "a=1"}, {"set": ["ca_certificates=PEM"]}, "secret_headers", id="headers-CA"
        ),
        pytest.param(
            {"auth_method": "private_key_jwt", "private_key": "PEM", "password": None},
            {"token_url": "https://b.example"},
            "--key-file or --set-env private_key",
            id="key",
        ),
        pytest.param(
            {"host": "https://{tenant}.idp.example/token", "tenant": "a"},
            {"set": ["tenant=b"]},
            "--secret-stdin",
            id="tenant-in-host",
        ),
        pytest.param({"host": "http://idp.example"}, {"discovery": "idp.example"}, "--secret", id="scheme"),
    ],
)
def test_each_stored_secret_is_wanted_again(before: Any, given: Any, missing: str) -> None:
    with pytest.raises(ConfigurationError, match="give them again") as raised:
        edited(values(**before), arguments(**given))
    assert missing in str(raised.value)
    assert raised.value.conn_id == "x"


def test_secrets_that_are_emptied_or_unused_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", NEW)
    before = values(
        secret_params="pin=1", auth_method="private_key_jwt", private_key="P", private_key_passphrase="p"
    )
    method = ["auth_method=client_secret_basic", "secret_params="]
    after = edited(before, arguments(set=method, secret_env="GIVEN"))
    extra = json.loads(after.extra or "")
    assert after.password == NEW
    assert [extra[key] for key in ("private_key", "private_key_passphrase")] == [None, None]
    assert not extra["secret_params"]


def test_a_new_key_has_no_old_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "PEM")
    before = values(password=None, auth_method="private_key_jwt", private_key="P", private_key_passphrase="p")
    after = json.loads(edited(before, arguments(set_env=["private_key=KEY"])).extra or "")
    assert (after["private_key"], after["private_key_passphrase"]) == ("PEM", None)


def test_a_preset_fills_in_an_edited_one_and_takes_what_is_there() -> None:
    method = "client_secret_post"
    before = values("https://acme.zendesk.com/oauth/tokens", scope="read", auth_method=method)
    after = edited(before, arguments(preset="zendesk", tenant="acme"))
    assert (after.host, after.password) == (before.host, SECRET)
    assert json.loads(after.extra or "")["scope"] == "read"
    with pytest.raises(ConfigurationError, match="token host changed"):
        edited(before, arguments(preset="zendesk", tenant="other"))


def test_an_unreadable_extra_is_not_overwritten() -> None:
    before = ConnectionValues("x", conn_type=CONNECTION_TYPE, extra="{")
    with pytest.raises(ConfigurationError, match="not valid JSON"):
        edited(before, arguments(set=["scope=a"]))
