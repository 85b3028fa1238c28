"""Commands and a credential outside of the connection: they need none, and say where it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.arrangement import MARKS, stored
from tests.cli.commands import CommandLine
from tests.support.assertions import Platform, signature
from tests.support.service import Service
from tests.support.spellings import disclosed

pytestmark = MARKS

OUTSIDE = "the-secret-that-lies-outside"


@pytest.fixture
def environment(service: Service, tmp_path: Path) -> dict[str, str]:
    """What the deployment sets."""
    (tmp_path / "erp").write_text(f"{OUTSIDE}\n")
    (tmp_path / "idp").write_text(Platform().assertion())
    host = service.server.url.removeprefix("http://")
    entry = {"file": str(tmp_path / "erp"), "hosts": [host], "client_ids": ["my-client"], "api_hosts": [host]}
    return {
        "AIRFLOW__OAUTH2__CREDENTIALS": json.dumps({"erp": entry}),
        "AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS": host,
        "AIRFLOW__OAUTH2__ASSERTION_FOLDERS": str(tmp_path),
    }


@pytest.mark.parametrize("kind", ["external", "workload"])
def test_create_check_and_list(
    cli: CommandLine, service: Service, environment: dict[str, str], tmp_path: Path, kind: str
) -> None:
    settings = {
        "external": ["external_credential=erp"],
        "workload": ["auth_method=workload_identity", f"assertion_file={tmp_path / 'idp'}"],
    }[kind]
    source = {"external": "external credential erp (file)", "workload": "assertion file (jwt-bearer)"}[kind]
    url, name = f"{service.server.url}/token", f"outside_{kind}"
    more = [argument for setting in settings for argument in ("--set", setting)]
    created = cli(
        "oauth2", "create", name, "--token-url", url, "--client-id", "my-client", *more, env=environment
    )
    assert created.code == 0, created.err
    assert source in created.out
    assert not stored(cli, name)["password"]
    checked = cli("oauth2", "check", name, "--json", env=environment)
    assert checked.json[0]["credential_source"] == source
    listed = cli("oauth2", "list", "--json", env=environment)
    (row,) = [row for row in listed.json if row["conn_id"] == name]
    assert row["credential_source"] == source
    confidential = [OUTSIDE, signature((tmp_path / "idp").read_text())]
    assert service.token_requests
    for ended in (created, checked, listed, cli("oauth2", "list", env=environment)):
        assert disclosed(ended.out + ended.err, confidential) == set()
        if kind == "external":
            assert str(tmp_path) not in ended.out + ended.err


def test_a_secret_beside_it_is_refused(
    cli: CommandLine, service: Service, environment: dict[str, str]
) -> None:
    url = f"{service.server.url}/token"
    arguments = ["create", "both", "--token-url", url, "--client-id", "my-client", "--secret-stdin"]
    ended = cli(
        "oauth2",
        *arguments,
        "--set",
        "external_credential=erp",
        stdin="a-secret-of-the-row\n",
        env=environment,
    )
    assert ended.code == 1
    assert 'field "password"' in ended.err
    assert service.server.requests == []
