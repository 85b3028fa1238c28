"""``airflow oauth2 create``."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_oauth_provider.connection.fields import FIELDS
from tests.cli.arrangement import MARKS, SECRET, create, stored
from tests.cli.commands import CommandLine
from tests.support.servers.scripted import (
    Json,
    token_json,
)
from tests.support.service import Service

pytestmark = MARKS


class TestCreate:
    """Saves, then authorizes."""

    def test_it_writes_every_declared_key(self, cli: CommandLine, service: Service) -> None:
        given = ["scope=read write", "post_params=tenant=emea", "post_params=a=b", "include_scope=false"]
        given += ["max_retry_attempts=1", "category=finance"]
        more = [argument for setting in given for argument in ("--set", setting)]
        ended = create(cli, service, "orders", *more, "--description", "of the orders")
        assert ended.code == 0, ended.err
        assert "Authorized until " in ended.out
        connection = stored(cli, "orders")
        extra = json.loads(connection["extra"])
        assert list(extra) == [entry.key for entry in FIELDS], "or Airflow's form would hide the others"
        assert (extra["post_params"], extra["include_scope"]) == (["tenant=emea", "a=b"], False)
        assert (extra["max_retry_attempts"], extra["max_wait"], extra["audience"]) == (1, 60, None)
        assert connection["password"] == SECRET
        assert connection["description"] == "of the orders"
        (request,) = service.token_requests
        assert request.form["tenant"] == ["emea"]
        assert "scope" not in request.form

    @pytest.mark.parametrize(
        "given, key, value",
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
        self, given: tuple[str, ...], key: str, value: Any, cli: CommandLine, service: Service
    ) -> None:
        given = (given[0], *(f"{key}={value}" for value in given[1:]))
        more = [argument for setting in given for argument in ("--set", setting)]
        ended = create(cli, service, "orders", *more)
        assert ended.code == 0, ended.err
        assert json.loads(stored(cli, "orders")["extra"])[key] == value

    def test_rich_requests_are_stored_as_the_form_stores_them(
        self, cli: CommandLine, service: Service
    ) -> None:
        service.token = lambda _: token_json(authorization_details=[{"type": "orders", "actions": ["read"]}])
        asked = '[{"type": "orders", "actions": ["read"]}, {"type": "payment"}]'
        ended = create(cli, service, "orders", "--set", f"rich_requests={asked}")
        assert ended.code == 0, ended.err
        assert json.loads(stored(cli, "orders")["extra"])["rich_requests"] == asked
        assert '{"actions": ["read"], "type": "orders"}' in ended.out
        assert re.search(r"Not granted +payment", ended.out)
        assert cli("oauth2", "token", "orders", "--json").json["details"] == [
            '{"actions": ["read"], "type": "orders"}'
        ]
        (row,) = cli("oauth2", "list", "--json").json
        assert row["missing_details"] == ["payment"]
        broken = create(cli, service, "broken", "--set", "rich_requests={}")
        assert 'field "rich_requests"' in broken.err

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
        report = create(cli, service, "orders", "--json").json
        assert (report["ok"], report["saved"], report["lifetime"]) == (True, True, 3600)

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
            pytest.param("x", ("--set", "s3cr3t=read"), "does not know this key", id="unknown-key"),
            pytest.param("x", ("--set", "scpe=a"), "key scpe: did you mean scope?", id="near-key[F50]"),
            pytest.param("x", ("--set-env", "private-key=A"), "did you mean private_key", id="near-key-env"),
            pytest.param("x", ("--set", "Client-ID=a"), "use --client-id", id="key-with-an-option"),
            pytest.param("x", ("--set", "password=a"), "use --secret-stdin", id="secret-as-key"),
            pytest.param("x", ("--set", "scope"), "KEY=VALUE", id="no-value"),
            pytest.param("x", ("--set", "max_wait=soon"), 'field "max_wait"', id="no-number"),
            pytest.param("x", ("--set", "scope=a", "--set", "scope=b"), "given twice", id="twice"),
            pytest.param("x", ("--set", "secret_params=pin=1"), "--set-env secret_params", id="secret"),
            pytest.param("x", ("--set-env", "private_key=NOT_SET_AT_ALL"), "not set", id="no-variable"),
            pytest.param("x", ("--set", "auth_method=private_key_jwt"), "private_key", id="no-key"),
            pytest.param("x", ("--secret-env", "HOME"), "together", id="two-secrets"),
            pytest.param("x", ("--set", "base_url=https://a.eu?api_key=s3cr3t"), "--set-env", id="query"),
            pytest.param("x", ("--tenant", "https://acme.example"), "no address", id="tenant-address"),
            pytest.param("x", ("--tenant", "acme"), "leave it out", id="tenant-without-place"),
        ],
    )
    def test_bad_input_is_neither_saved_nor_sent(
        self, name: str, more: tuple[str, ...], says: str, cli: CommandLine, service: Service
    ) -> None:
        ended = create(cli, service, name, *more)
        assert ended.code == 1
        assert says in ended.err
        assert "s3cr3t" not in ended.err
        assert len(ended.err) < 1000, "not all keys are named"
        assert SECRET not in ended.err
        assert service.server.requests == []
        assert cli("oauth2", "list", "--json").json == []

    def test_all_that_is_wrong_is_named_at_once(self, cli: CommandLine, service: Service) -> None:
        given = ["scpe=read", "max_wait=soon", "audience=x", "post_params=audience=y", "resource=/x"]
        more = [argument for setting in given for argument in ("--set", setting)]
        ended = create(cli, service, "a b", *more, "--set-env", "proxy_url=NOT_SET_AT_ALL")
        assert ended.code == 1
        where = ["NAME", "--set", "--set-env", "max_wait", "resource", "post_params"]
        lines = ended.err.strip().splitlines()
        assert [line.split('"')[3] for line in lines] == where
        ended = create(cli, service, "a b", *more, "--json")
        error = ended.json["error"]
        assert (ended.code, error["field"], error["wrong"].keys()) == (1, "NAME", set(where) - {"--set-env"})
        assert SECRET not in ended.out + ended.err
        assert service.server.requests == []
        assert cli("oauth2", "list", "--json").json == []

    def test_a_name_that_is_taken(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "orders")
        ended = create(cli, service, "orders", "--set", "scope=other", "--json")
        assert ended.code == 1
        assert "exists already" in ended.json["error"]["message"]
        assert len(service.token_requests) == 1

    def test_a_name_that_the_environment_has(self, cli: CommandLine, service: Service) -> None:
        arguments = ("--token-url", f"{service.server.url}/token", "--client-id", "c", "--secret-stdin")
        env = {"AIRFLOW_CONN_MINE": service.environment()}
        ended = cli("oauth2", "create", "mine", *arguments, stdin=SECRET, env=env)
        assert (ended.code, "exists already: tasks read it from the environment" in ended.err) == (1, True)
        assert service.token_requests == []

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

    def test_by_discovery(self, cli: CommandLine, service: Service) -> None:
        url = service.server.url
        metadata = Json({"issuer": url, "token_endpoint": f"{url}/t"})
        service.server.script(lambda request: token_json() if request.method == "POST" else metadata)
        more = ("--client-id", "c", "--secret-env", "GIVEN")
        ended = cli("oauth2", "create", "x", "--discovery", url, *more, env={"GIVEN": SECRET})
        assert ended.code == 0, ended.err
        assert [request.target for request in service.server.requests if request.method == "POST"] == ["/t"]
        assert stored(cli, "x")["host"] == url

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            ((), "--discovery ISSUER"),
            (("--token-url", "https://a.example", "--discovery", "https://b.example"), "exclude each other"),
            (("--token-url", "https://a.example/?client_secret=s3cr3t"), "has a secret in its query"),
        ],
    )
    def test_either_a_token_url_or_an_issuer(
        self, cli: CommandLine, more: tuple[str, ...], says: str
    ) -> None:
        ended = cli("oauth2", "create", "x", "--client-id", "c", *more)
        assert ended.code == 1
        assert says in ended.err
        assert "s3cr3t" not in ended.err

    def test_there_is_no_argument_for_a_secret(self, cli: CommandLine) -> None:
        ended = cli("oauth2", "create", "x", "--secret", "y")
        assert ended.code == 2
