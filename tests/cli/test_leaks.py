"""Nothing that a command prints holds a secret or a token, against a service that repeats both."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.arrangement import MARKS
from tests.cli.commands import CommandLine
from tests.support.echoing import SECRET, VALUES, Echo, assert_silent, echoing, settings_of
from tests.support.servers.certificates import bundle, issue_client
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


@pytest.mark.parametrize("scope", ["read", "refused"])
def test_a_key_with_its_passphrase_and_a_tenant(
    cli: CommandLine, service: Service, tmp_path: Path, scope: str
) -> None:
    passphrase, issued = "Vq8/zz91+Kd03&hh27", issue_client()
    lines = tuple(issued.key.splitlines()[1:-1])
    locked = bundle(issued, passphrase.encode())
    stored = base64.b64encode(locked).decode()
    # What a server could repeat, however it came by it; of the key within nothing is anywhere else.
    echo = Echo(secret=passphrase, pin=stored, gate=passphrase, more=lines)
    echo.serve(service)
    file = tmp_path / "client.p12"
    file.write_bytes(locked)
    arguments = ["create", "keyed", "--token-url", f"{service.server.url}/token?realm={{tenant}}"]
    arguments += ["--tenant", "acme", "--client-id", "my-client", "--set", "auth_method=private_key_jwt"]
    arguments += ["--key-file", str(file), "--passphrase-env", "PHRASE", "--set", f"scope={{tenant}}.{scope}"]
    printed = [cli("oauth2", *arguments, env={"PHRASE": passphrase})]
    assert service.token_requests[0].target == "/token?realm=acme", printed
    commands = (["check", "keyed", "--json"], ["check", "keyed"], ["list"], ["token", "keyed"])
    printed += [cli("oauth2", *command) for command in commands]
    wrong = [*arguments[:1], "other", *arguments[2:]]
    printed.append(cli("oauth2", *wrong, env={"PHRASE": f"not-{passphrase}"}))
    assert printed[-1].code != 0
    echo.assert_silent([text for ended in printed for text in (ended.out, ended.err)])


@pytest.mark.fault("F50")
def test_what_is_refused_stands_in_no_audit_log(cli: CommandLine) -> None:
    """Airflow writes all arguments to it, before the command sees them."""
    new = ("create", "orders", "--client-id", "me", "--secret-stdin")
    commands = [
        (*command, *arguments)
        for command in (new, ("edit", "orders"))
        for arguments in (
            ("--set", f"private_key={SECRET}"),
            ("--set", f"post_params=api_key={SECRET}"),
            ("--set", f"{SECRET}=x"),
            ("--set", f"base_url=https://me:{SECRET}@api.example/"),
            ("--token-url", f"https://{SECRET}@idp.example/token"),
            ("--discovery", f"me:{SECRET}@idp.example"),
        )
    ]
    commands.append(("discover", f"https://{SECRET}@idp.example"))
    for command in commands:
        ended = cli("oauth2", *command, stdin="s\n")
        assert ended.code == 1
        assert SECRET not in ended.out + ended.err
    with closing(sqlite3.connect(cli.home / "airflow.db")) as database:
        logged = str(database.execute("SELECT extra FROM log").fetchall())
    assert SECRET not in logged
