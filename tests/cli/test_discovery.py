"""``airflow oauth2 discover``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.arrangement import MARKS
from tests.cli.commands import CommandLine
from tests.support.servers.scripted import (
    Json,
    Redirect,
    ScriptedServer,
    Text,
)

pytestmark = MARKS


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
        assert f"--discovery {scripted.url}" in ended.err
        assert "--set auth_method=private_key_jwt" in ended.err
        assert [request.target for request in scripted.requests] == [
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
        ]

    @pytest.mark.parametrize("file", ["oauth-authorization-server", "openid-configuration"])
    def test_the_address_of_the_document_will_do(
        self, cli: CommandLine, scripted: ScriptedServer, file: str
    ) -> None:
        """Vendors print it, and people have it open in a browser."""
        scripted.script(self.document(scripted))
        ended = cli("oauth2", "discover", f"{scripted.url}/.well-known/{file}")
        assert ended.code == 0, ended.err
        assert f"--discovery {scripted.url} " in ended.err

    def test_as_json(self, cli: CommandLine, scripted: ScriptedServer) -> None:
        scripted.script(self.document(scripted))
        report = cli("oauth2", "discover", scripted.url, "--json").json
        assert report["token_endpoint"] == f"{scripted.url}/token"

    def test_an_api_that_names_its_issuer(self, cli: CommandLine, scripted: ScriptedServer) -> None:
        """RFC 9728: nothing of ours goes to the API, and the issuer is held to its own rules."""
        api = f"{scripted.url}/v1"
        about = f"{scripted.url}/.well-known/oauth-protected-resource/v1"
        challenge = [("WWW-Authenticate", f'Bearer resource_metadata="{about}"')]
        scripted.script(
            Text(404),
            Text(404),
            Json({}, 401, challenge),
            Json({"resource": api, "authorization_servers": [scripted.url]}),
            self.document(scripted),
        )
        ended = cli("oauth2", "discover", api)
        assert ended.code == 0, ended.err
        assert f"{scripted.url}/token" in ended.out
        assert api in ended.out
        assert f"--discovery {scripted.url} " in ended.err
        assert all(request.header("Authorization") is None for request in scripted.requests)

    @pytest.mark.parametrize(
        "response, says",
        [
            pytest.param(Redirect("https://evil.example/"), "HTTP status 302", id="redirect"),
            pytest.param(Text(200, b"x" * 300_000), "larger than 256 KiB", id="large"),
            pytest.param(Text(200, "<html>\x1b[31m", "text/html"), "not valid JSON", id="html"),
        ],
    )
    def test_no_document(self, response: Any, says: str, cli: CommandLine, scripted: ScriptedServer) -> None:
        scripted.script(response)
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
