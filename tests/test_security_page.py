"""What the security page says of Airflow, seen at Airflow itself."""

from __future__ import annotations

import base64
import json
import re

import pytest
from airflow.providers.http.hooks.http import HttpHook

from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from tests.readme import ROOT
from tests.support.servers.scripted import Json, ScriptedServer
from tests.support.service import Service

pytestmark = pytest.mark.fault("F21")
TEXT = (ROOT / "docs" / "security.md").read_text()


def test_another_type_sends_id_secret_and_extras_through_a_proxy_of_the_editors_choice(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes only type and extras of a connection: nothing of this package runs then."""
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "idp.example")
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "idp.example")
    with ScriptedServer() as proxy:
        proxy.script(Json({}))
        stored = json.loads(service.environment(host="http://idp.example/token", secret_params="pin=1234"))
        chosen = {"proxies": {"http": proxy.url}, "verify": False}
        edited = stored | {"conn_type": "http", "extra": stored["extra"] | chosen}
        monkeypatch.setenv("AIRFLOW_CONN_ORDERS", json.dumps(edited))
        HttpHook("GET", http_conn_id="orders").run("", extra_options={"check_response": False})
    (request,) = proxy.requests
    basic = base64.b64encode(b"my-client:a-client-secret").decode()
    assert request.header("Authorization") == f"Basic {basic}"
    assert request.header("secret_params") == "pin=1234"


def test_the_page_says_so_and_what_to_switch_off() -> None:
    for text in ("*type*", "`conn_type: http`", "`[core] test_connection = Disabled`", "permission to edit"):
        assert text in TEXT


def test_it_promises_nothing_that_does_not_exist() -> None:
    assert ("does not offer one yet" in TEXT) is ("external_credential" not in FIELDS_BY_KEY)


THREATS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.partition("## Who can do what")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| who ")
]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT)))


def test_each_threat_names_its_test_or_says_why_there_is_none() -> None:
    assert len(THREATS) >= 25
    for row in THREATS:
        assert len(row) == 4, row
        assert re.fullmatch(r"`tests/[\w/]+\.py(::\w+)?`|no test: .+", row[3]), row


def test_each_section_says_what_shows_it() -> None:
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)[2:]
    assert len(sections) >= 6
    for section in sections:
        assert re.search(r"^Shown by: `tests/", section, re.MULTILINE), section.splitlines()[0]


@pytest.mark.parametrize("named", NAMED)
def test_the_tests_that_it_names_exist(named: str) -> None:
    file, _, name = named.partition("::")
    assert (ROOT / file).is_file()
    assert not name or f"def {name}(" in (ROOT / file).read_text()
