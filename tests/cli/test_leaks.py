"""Nothing that a command prints holds a secret or a token, against a service that repeats both."""

from __future__ import annotations

import json

import pytest

from tests.cli.arrangement import MARKS
from tests.cli.commands import CommandLine
from tests.support.echoing import SECRET, VALUES, assert_silent, echoing, settings_of
from tests.support.service import Service
from tests.support.spellings import disclosed

pytestmark = [*MARKS, pytest.mark.fault("F29", "F20")]


@pytest.mark.parametrize("scope", ["read", "refused"])
def test_commands(cli: CommandLine, service: Service, scope: str) -> None:
    echoing(service)
    given = {**service.connection().extra_dejson, **settings_of(scope=scope)}
    del given["password"]
    arguments = ["create", "echo", "--token-url", f"{service.server.url}/token", "--client-id", "my-client"]
    arguments += ["--secret-stdin"]
    for name, value in given.items():
        if name.startswith("secret"):
            arguments += ["--set-env", f"{name}={name.upper()}"]
        else:
            arguments += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    secrets = {name.upper(): value for name, value in given.items() if name.startswith("secret")}
    printed = [cli("oauth2", *arguments, stdin=f"{SECRET}\n", env=secrets)]
    assert service.token_requests, printed
    commands = [
        ["check", "echo"],
        ["check", "echo", "--json"],
        ["list"],
        ["list", "--json"],
        ["list", "--output", "yaml"],
        ["check", "echo", "--output", "plain"],
        ["edit", "echo", "--set", "category=other"],
        ["edit", "echo", "--set", "auth_method=client_secret_post", "--json"],
        ["token", "echo"],
    ]
    printed += [cli("oauth2", *command) for command in commands]
    if scope == "read":
        revealed = cli("oauth2", "token", "echo", "--reveal")
        assert disclosed(revealed.out, VALUES), "or there would be nothing to look for"
    printed.append(cli("oauth2", "forget", "echo"))
    assert_silent([text for ended in printed for text in (ended.out, ended.err)])
