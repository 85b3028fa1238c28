"""``forget --revoke`` against an authorization server that we did not write."""

from __future__ import annotations

import pytest

from tests.cli.arrangement import MARKS
from tests.cli.commands import CommandLine
from tests.support.servers.oidc_server import OidcServer

pytestmark = [*MARKS, pytest.mark.slow]


@pytest.mark.parametrize("by_discovery", [True, False], ids=["discovery", "endpoint"])
def test_a_real_server_forgets_the_token(cli: CommandLine, oidc: OidcServer, by_discovery: bool) -> None:
    client = oidc.clients["basic"]
    server = ("--discovery", oidc.issuer) if by_discovery else ("--token-url", oidc.token_url)
    created = cli(
        "oauth2",
        *(
            "create",
            "real",
            *server,
            "--client-id",
            client.client_id,
            "--secret-stdin",
            "--set",
            "scope=read",
        ),
        stdin=f"{client.secret}\n",
    )
    assert created.code == 0, created
    token = cli("oauth2", "token", "real", "--reveal").out.strip()
    assert oidc.introspect(token)["active"] is True
    more = () if by_discovery else ("--endpoint", f"{oidc.token_url}/revocation")
    ended = cli("oauth2", "forget", "real", "--revoke", *more, "--json")
    assert ended.json == {"conn_id": "real", "ok": True, "revoked": True}
    assert token not in ended.out + ended.err
    assert oidc.introspect(token) == {"active": False}
    (row,) = cli("oauth2", "list", "--json").json
    assert row["status"] == "not_yet"
    renewed = cli("oauth2", "token", "real", "--reveal").out.strip()
    assert renewed != token
    assert oidc.introspect(renewed)["active"] is True
