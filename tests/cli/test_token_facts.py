"""``airflow oauth2 token --claims``: what the token says, never the token."""

from __future__ import annotations

import jwt

from tests.cli.arrangement import MARKS, SECRET, create
from tests.cli.commands import CommandLine
from tests.support.servers.scripted import token_json
from tests.support.service import Service

pytestmark = MARKS

VALUE = jwt.encode(
    {"iss": "https://idp.example", "aud": SECRET, "exp": 1_800_000_000},
    "a-key-of-at-least-32-bytes-of-the-server",
)


def test_a_jwt(cli: CommandLine, service: Service) -> None:
    service.token = lambda _: token_json(VALUE)
    created = create(cli, service, "one")
    assert "iss: https://idp.example" in created.out
    ended = cli("oauth2", "token", "one", "--claims")
    assert ended.code == 0, ended.err
    assert "claims, not verified  iss: https://idp.example, aud: ***, exp: 2027-01-15T08:00:00" in ended.out
    document = cli("oauth2", "token", "one", "--claims", "--json")
    assert document.json["claims"] == {
        "verified": False,
        "values": {"iss": "https://idp.example", "aud": "***", "exp": "2027-01-15T08:00:00+00:00"},
        "reason": None,
    }
    for said in (created, ended, document):
        assert SECRET not in said.out + said.err
        assert VALUE.rpartition(".")[2] not in said.out + said.err
        assert VALUE.split(".")[1] not in said.out + said.err


def test_an_opaque_token(cli: CommandLine, service: Service) -> None:
    create(cli, service, "one")
    assert "opaque" in cli("oauth2", "token", "one", "--claims").out
    assert "claims" not in cli("oauth2", "token", "one", "--json").json


def test_not_together_with_the_token(cli: CommandLine, service: Service) -> None:
    create(cli, service, "one")
    ended = cli("oauth2", "token", "one", "--claims", "--reveal")
    assert ended.code == 1
    assert "--claims" in ended.err
    assert "tok-1" not in ended.out + ended.err
