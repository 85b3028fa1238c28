"""The recipes of the page work: openssl makes the keys, and the commands make connections of them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest

from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.client.methods import METHODS
from airflow_oauth_provider.protocol.profile import ALGORITHM_RULES, CLIENT_RULES, TLS_RULES
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.request import build_token_request
from tests.readme import ROOT
from tests.support.openssl import needs_openssl
from tests.test_get_provider_info import VERSION

pytestmark = [pytest.mark.airflow, needs_openssl]
TEXT = (ROOT / "docs" / "client-authentication.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [block for block in BLOCKS if "airflow oauth2 create" in block]

PARSE = """
import json, os, sys
from airflow.cli.cli_parser import get_parser
from airflow_oauth_provider.cli.creation import connection_from
parser = get_parser()
for folder, line in json.load(sys.stdin):
    os.chdir(folder)
    values = connection_from(parser.parse_args(line))
    found = {name: getattr(values, name) for name in ("conn_id", "host", "login", "password", "extra")}
    print("values: " + json.dumps(found))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Run everything but our own command, block after block, as a reader does."""
    folder = tmp_path_factory.mktemp("recipes")
    own = re.compile(r"^airflow (?:.*\\\n)*.*$", re.MULTILINE)
    script = "\n".join(["set -euo pipefail", *(own.sub("", block) for block in BLOCKS), "env > environment"])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    bash = shutil.which("bash")
    assert bash is not None
    ended = subprocess.run(
        [bash, "-c", script], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    printed = (folder / "environment").read_text().splitlines()
    exported = ("KEY_PASSWORD=", "CLIENT_SECRET=")
    return folder, dict(line.split("=", 1) for line in printed if line.startswith(exported))


@pytest.fixture(scope="module")
def settings(made: tuple[Path, dict[str, str]]) -> list[ClientSettings]:
    """Read each command as ``airflow`` does, and resolve the connection that it would save."""
    if VERSION < (3, 2):
        pytest.skip("providers bring commands since Airflow 3.2")
    from airflow.sdk import Connection

    folder, environment = made
    lines = []
    for block in COMMANDS:
        command = block[block.index("airflow ") :].replace("\\\n", " ")
        lines.append((str(folder), shlex.split(command)[1:]))
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARSE],
        input=json.dumps(lines),
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    given: list[dict[str, Any]] = [
        json.loads(line.removeprefix("values: "))
        for line in ended.stdout.splitlines()
        if line.startswith("values: ")
    ]
    assert len(given) == len(COMMANDS)
    return [
        resolve(Connection(conn_type="oauth2_client_credentials", **values), Policy()).settings
        for values in given
    ]


def test_each_command_makes_a_connection_that_can_ask_for_a_token(settings: list[ClientSettings]) -> None:
    for client in settings:
        request = build_token_request(client, client.server.url, now=0.0, entropy=bytes)
        assert b"grant_type=client_credentials" in request.body


def test_what_they_are(settings: list[ClientSettings]) -> None:
    assert [(client.auth_method, client.assertion.algorithm, client.profile) for client in settings] == [
        ("private_key_jwt", "ES384", "standard"),
        ("private_key_jwt", "RS256", "standard"),
        ("self_signed_tls_client_auth", None, "standard"),
        ("private_key_jwt", "ES384", "standard"),
        ("client_secret_jwt", "HS256", "standard"),
        ("private_key_jwt", "ES384", "standard"),
        ("private_key_jwt", "PS256", "fapi2"),
    ]


def test_the_published_keys_verify_what_the_connection_signs(
    made: tuple[Path, dict[str, str]], settings: list[ClientSettings]
) -> None:
    """SMART Backend Services: ES384, a ``kid``, and the token URL as audience."""
    (key,) = json.loads((made[0] / "jwks.json").read_text())["keys"]
    fhir = settings[5]
    request = build_token_request(fhir, fhir.server.url, now=0.0, entropy=bytes)
    signed = dict(pair.split("=", 1) for pair in request.body.decode().split("&"))["client_assertion"]
    assert "d" not in key
    assert jwt.get_unverified_header(signed)["kid"] == key["kid"]
    options: Any = {"verify_exp": False}
    read = jwt.decode(
        signed, jwt.PyJWK(key), ["ES384"], audience="https://ehr.example/oauth2/token", options=options
    )
    assert read["exp"] - read["iat"] <= 300


def test_the_page_ranks_every_method_and_names_fields_that_exist() -> None:
    table = TEXT.partition("## A key for")[0]
    assert all(f"`{name}`" in table for name in METHODS)
    profile = TEXT.partition("| rule | section | field |")[2].partition("```sh")[0]
    cells = [row.split("|")[1:-1] for row in profile.splitlines()[2:] if row.startswith("|")]
    fields = {name for *_, cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert fields - {"host"} <= FIELDS_BY_KEY.keys()
    assert {section.strip() for _, section, _ in cells} == {CLIENT_RULES, TLS_RULES, ALGORITHM_RULES}
    assert fields >= {"auth_method", "dpop", "discovery", "jwt_audience", "jwt_algorithm", "host"}
