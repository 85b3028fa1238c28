"""``airflow oauth2 presets``, and ``create`` with one."""

from __future__ import annotations

import json

import pytest

from airflow_oauth_provider.cli.preset_rows import preset_facts, preset_row
from airflow_oauth_provider.connection.presets import preset_named, presets
from tests.cli.arrangement import MARKS, SECRET, create, stored
from tests.cli.commands import CommandLine
from tests.support.servers.scripted import Json, ScriptedServer
from tests.support.service import Service


def test_a_row_says_what_is_needed() -> None:
    assert preset_row(preset_named("zendesk")) == {
        "preset": "zendesk",
        "api": "Zendesk Support",
        "needs": "--tenant, --set scope",
    }
    assert preset_row(preset_named("keycloak"))["needs"] == "--token-url or --discovery"
    assert preset_row(preset_named("crowdstrike"))["needs"] == "nothing more"


@pytest.mark.parametrize("name", presets())
def test_facts_name_command_fields_and_source(name: str) -> None:
    preset, facts = preset_named(name), preset_facts(preset_named(name))
    assert facts["Command"].startswith(f"airflow oauth2 create NAME --preset {name} ")
    by_key = preset.extra["auth_method"] == "private_key_jwt"
    assert ("--key-file FILE" if by_key else "--secret-stdin") in facts["Command"]
    assert facts["From"] == f"{preset.link} ({preset.checked})"
    assert preset.extra.items() <= facts.items()


def one_line(text: str) -> str:
    return " ".join(text.split())


class TestCommands:
    """The commands themselves."""

    pytestmark = MARKS

    def test_all_and_one(self, cli: CommandLine) -> None:
        assert [row["preset"] for row in cli("oauth2", "presets", "--json").json] == list(presets())
        ended = cli("oauth2", "presets", "zendesk")
        assert ended.code == 0, ended.err
        assert "https://{tenant}.zendesk.com/oauth/tokens" in ended.out
        assert "(read 20" in ended.out
        unread = cli("oauth2", "presets", "booking")
        assert unread.code == 0, unread.err
        assert "not checked: whether" in " ".join(unread.out.split())
        missing = cli("oauth2", "presets", "zendesc")
        assert (missing.code, "did you mean zendesk" in missing.err) == (1, True)

    def test_all_missing_options_are_named_at_once(self, cli: CommandLine) -> None:
        ended = cli("oauth2", "create", "x", "--preset", "zendesk")
        assert ended.code == 1
        needed = (
            "--tenant TENANT (the account's subdomain), --set scope=for example read, --client-id ID and "
        )
        assert f"zendesk also needs {needed}--secret-stdin or --secret-env VARIABLE" in one_line(ended.err)
        assert cli("oauth2", "list", "--json").json == []

    @pytest.mark.parametrize(
        ("more", "needs"),
        [
            pytest.param(
                ("--preset", "okta", "--client-id", "c"),
                "okta also needs --tenant TENANT (the organisation's subdomain), --set scope=for example "
                "okta.users.read and --key-file FILE",
                id="key",
            ),
            pytest.param(
                ("--preset", "keycloak", "--client-id", "c"),
                "keycloak also needs --token-url URL or --discovery ISSUER and --secret-stdin or "
                "--secret-env VARIABLE (Give --discovery https://HOST/realms/REALM.",
                id="address",
            ),
            pytest.param(
                (),
                "a connection needs --token-url URL or --discovery ISSUER, --client-id ID and --secret-stdin "
                "or --secret-env VARIABLE",
                id="no-preset",
            ),
            pytest.param(
                ("--token-url", "https://a.example", "--secret-env", "HOME"),
                "a connection needs --client-id ID",
                id="client-id",
            ),
        ],
    )
    def test_what_is_missing(self, more: tuple[str, ...], needs: str, cli: CommandLine) -> None:
        ended = cli("oauth2", "create", "x", *more)
        assert ended.code == 1
        assert needs in one_line(ended.err)

    def test_edit_names_all_that_a_preset_needs(self, cli: CommandLine, service: Service) -> None:
        create(cli, service, "orders")
        before = stored(cli, "orders")
        ended = cli("oauth2", "edit", "orders", "--preset", "zendesk", "--set", "max_wait=soon")
        lines = ended.err.strip().splitlines()
        assert (ended.code, len(lines)) == (1, 3)
        assert "token host and authentication method changed" in lines[2]
        assert (
            "zendesk also needs --tenant TENANT (the account's subdomain) and --set scope=for example read"
            in lines[1]
        )
        assert 'field "max_wait"' in lines[0]
        assert (stored(cli, "orders"), len(service.token_requests)) == (before, 1)

    def test_create_with_one(self, cli: CommandLine, service: Service) -> None:
        with ScriptedServer() as airflow:
            airflow.script(Json({"access_token": "tok-1"}, 201))
            arguments = ["create", "other_airflow", "--preset", "airflow-keycloak"]
            arguments += ["--token-url", f"{airflow.url}/auth/token", "--client-id", "dags", "--secret-stdin"]
            arguments += ["--set", f"base_url={airflow.url}/api/v2"]
            ended = cli("oauth2", *arguments, stdin=f"{SECRET}\n")
            assert ended.code == 0, ended.err
            (request,) = airflow.requests
        assert json.loads(request.body)["grant_type"] == "client_credentials"
        extra = json.loads(stored(cli, "other_airflow")["extra"])
        assert (extra["body_format"], extra["tolerate"]) == ("json", ["created", "untyped"])
