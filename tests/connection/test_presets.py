"""Each preset against a stand-in that answers as the vendor's page says, by threads and by coroutines."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from argparse import Namespace
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk import Connection

from airflow_oauth_provider.cli.creation import connection_from
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.connection.parsing import parse
from airflow_oauth_provider.connection.presets import filled_in, placed, preset_named, presets
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.connection.sections.unusual_servers import UNUSUAL_FIELDS
from airflow_oauth_provider.connection.tenant import is_well_placed, stands_in_host, with_tenant
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.call.instance import instance_origin
from airflow_oauth_provider.protocol.urls import UrlError, parse_url
from tests.connection.test_checks import pem
from tests.connection.vendors import ID, KEY, ROWS, SECRET, TENANT, Row
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse
from tests.support.service import Service
from tests.support.sides import Side


def arguments(name: str, row: Row, **changes: Any) -> Namespace:
    """Return the arguments of ``create``."""
    preset = preset_named(name)
    given = {
        "conn_id": "my_api",
        "preset": name,
        "tenant": TENANT if preset.tenant else None,
        "token_url": None if preset.host else row.token_url,
        "discovery": None,
        "client_id": ID,
        "secret_stdin": False,
        "secret_env": "GIVEN",
        "key_file": None,
        "passphrase_env": None,
        "set": [f"{key}={value}" for key, value in row.given.items()],
        "set_env": [],
        "description": None,
    }
    return Namespace(**{**given, **changes})


def extra_of(values: Any) -> dict[str, Any]:
    extra: dict[str, Any] = json.loads(values.extra)
    return extra


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", SECRET)


def on_loopback(values: Any, row: Row, service: Service) -> Connection:
    """Return a created connection with every origin that it names on this machine."""
    extra = json.loads(values.extra)
    assert with_tenant(values.host, TENANT) == row.token_url

    def here(address: str) -> str:
        return service.server.url + urlsplit(address).path

    if row.api is None:
        extra["base_url"] = f"{service.server.url}/x"
    elif extra["base_url"].startswith("{instance_url}"):
        patterns = extra["allowed_origins"]
        assert all(re.fullmatch(r"https://\*(\.[a-z]+){2,}", text) for text in patterns)
        extra["allowed_origins"] = [*patterns, service.server.url]
    else:
        assert with_tenant(f"{extra['base_url']}/x", TENANT) == row.api
        extra["base_url"] = here(extra["base_url"])
    return Connection(
        conn_id="my_api",
        conn_type=values.conn_type,
        host=here(values.host),
        login=values.login,
        password=values.password,
        extra=json.dumps(extra),
    )


def test_there_is_a_row_for_each_preset() -> None:
    assert list(ROWS) == list(presets())
    assert len(ROWS) >= 12
    # The six that were recipes once; Okta has one for an API of one's own, and one for its own API.
    recipes = {"entra", "auth0", "okta", "okta-custom", "keycloak", "salesforce", "cognito"}
    assert recipes <= ROWS.keys()


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("name", ROWS)
def test_a_preset_suits_the_vendors_page(
    side: Side, service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ROWS[name]
    if row.key:
        monkeypatch.setenv("GIVEN", pem(KEY))
    values = connection_from(arguments(name, row))
    connection = on_loopback(values, row, service)

    service.server.script(vendor(row, service))
    hook = OAuth2Hook(method="GET", connection=connection)
    response = side.run(hook, "x").json()
    assert response["token"] == row.header[1].replace("tok-1", "tok-2"), "the first was told to be dead"
    if row.api is not None:
        assert response["path"] == urlsplit(row.api).path
    assert side.token(hook).lifetime == row.lifetime
    assert resolve(values, Policy()).warnings == ()


def vendor(row: Row, service: Service) -> Callable[[RecordedRequest], ScriptedResponse]:
    """Return what answers as the vendor's page says: it grants tokens, and takes all but the first."""
    granted = itertools.count(1)

    def respond(request: RecordedRequest) -> ScriptedResponse:
        if request.target.startswith(urlsplit(row.token_url).path):
            assert (request.method, urlsplit(request.target).query) == ("POST", "")
            assert row.client(request) == row.asked
            token = f"tok-{next(granted)}"
            response = {
                key: service.server.url
                if key.endswith("instance_url")
                else token
                if value == "tok-1"
                else value
                for key, value in row.response.items()
            }
            return Json(response, row.status)
        if request.header(row.header[0]) == row.header[1]:
            status, body = row.dead
            return Json(body, status)
        return Json({"path": request.target, "token": request.header(row.header[0])})

    return respond


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if "instance_url" in str(row.response)])
def test_the_address_that_the_vendor_names_is_approved_and_no_other(name: str) -> None:
    row = ROWS[name]
    api = resolve(connection_from(arguments(name, row)), Policy()).settings.api
    assert row.api is not None
    host = urlsplit(row.api).netloc
    assert instance_origin(api, f"https://{host}/").authority == host
    for other in (f"{host}.evil.example", host.partition(".")[2], "evil.example"):
        with pytest.raises(UrlError, match="does not list"):
            instance_origin(api, f"https://{other}")


def test_together_they_use_every_switch() -> None:
    """But further tenants, which a single use names, not a vendor: those of a preset have ``{tenant}``."""
    used = {key for preset in presets().values() for key in preset.extra}
    used |= {"tenant" for preset in presets().values() if preset.tenant}
    switches = {entry.key for entry in UNUSUAL_FIELDS} | {"dead_when"}
    assert switches - used == {"tenants"}
    for key in switches & {key for preset in presets().values() for key in preset.extra}:
        default = FIELDS_BY_KEY[key].default
        assert any(preset.extra.get(key, default) != default for preset in presets().values()), key
    assert {text for preset in presets().values() for text in preset.extra.get("tolerate", ())} == {
        "created",
        "untyped",
    }
    assert any("{instance_url}" in preset.extra.get("base_url", "") for preset in presets().values())


@pytest.mark.parametrize("name", presets())
def test_a_preset_names_known_fields_its_source_and_no_host_but_one_tenant_label(name: str) -> None:
    preset = preset_named(name)
    for key, value in preset.extra.items():
        parse(FIELDS_BY_KEY[key], value)
        assert not FIELDS_BY_KEY[key].secret
    assert preset.asks.keys() <= FIELDS_BY_KEY.keys()
    assert preset.link.startswith("https://")
    assert date.fromisoformat(preset.read) >= date(2026, 1, 1)
    if preset.host is not None:
        assert preset.host.count("{") <= 1
        assert ("{tenant}" in preset.host) is (preset.tenant is not None)
        assert is_well_placed(preset.host)
        fixed = parse_url(preset.host.replace("{tenant}", TENANT))
        assert fixed.origin.scheme == "https"
        assert fixed.origin.host.count(".") >= (2 if stands_in_host(preset.host) else 1)
    else:
        assert "--token-url" in preset.notes or "--discovery" in preset.notes


def test_what_could_not_be_checked_stands_beside_the_date() -> None:
    unchecked = {name for name, preset in presets().items() if preset.unchecked}
    assert unchecked == {"booking"}
    checked = preset_named("booking").checked
    assert checked == f"read {preset_named('booking').read}; not checked: {preset_named('booking').unchecked}"
    assert preset_named("entra").checked == f"read {preset_named('entra').read}"


NO_TENANTS = ("evil.example/", "a.b", "", "a" * 64, "a@b")
ERRORS = [
    pytest.param("zendesk", {"tenant": None}, "--tenant", "is needed", id="no-tenant"),
    *(
        pytest.param("zendesk", {"tenant": tenant}, "--tenant", "letters", id=f"tenant-{tenant[:9]}")
        for tenant in NO_TENANTS
    ),
    pytest.param("zendesk", {"token_url": "https://x.example"}, "--preset", "leave yours out", id="two-urls"),
    pytest.param("zendesk", {"set": []}, "--preset", "--set scope=for example read", id="no-scope"),
    pytest.param("keycloak", {"token_url": None}, "--token-url", "Give --discovery", id="no-url"),
    pytest.param("zendesc", {}, "--preset", "did you mean zendesk", id="misspelled"),
    pytest.param("zoom", {"tenant": "acme"}, "--tenant", "no place", id="no-place"),
]


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(("name", "changes", "field", "reason"), ERRORS)
def test_what_is_missing_or_wrong_is_named(
    name: str, changes: dict[str, Any], field: str, reason: str
) -> None:
    known = name if name in ROWS else "zendesk"
    given = arguments(known, ROWS[known], preset=name, **changes)
    with pytest.raises(ConfigurationError, match=re.escape(reason)) as refused:
        connection_from(given)
    assert refused.value.field == field


@pytest.mark.usefixtures("secret")
def test_what_a_person_gives_counts_more() -> None:
    row = dataclasses.replace(ROWS["shopify"], given={"header_name": "X-Other", "max_wait": "5"})
    extra = extra_of(connection_from(arguments("shopify", row)))
    assert (extra["header_name"], extra["max_wait"], extra["tolerate"]) == ("X-Other", 5, ["untyped"])
    assert list(extra) == list(FIELDS_BY_KEY), "an ordinary connection holds every field"


@pytest.mark.usefixtures("secret")
def test_the_tenant_is_written_into_the_host_and_kept_where_fields_have_a_place_for_it() -> None:
    values = connection_from(arguments("auth0", ROWS["auth0"]))
    assert (values.host, extra_of(values)["tenant"]) == ("https://acme.auth0.com/oauth/token", None)
    values = connection_from(arguments("entra", ROWS["entra"]))
    assert str(values.host).startswith("https://login.microsoftonline.com/{tenant}/")
    assert extra_of(values)["tenant"] == TENANT
    url = "https://{tenant}.idp.example/token"
    own = arguments("zoom", ROWS["zoom"], preset=None, token_url=url, tenant=TENANT)
    assert connection_from(own).host == "https://acme.idp.example/token"


def test_a_placeholder_that_could_make_another_host_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="two fixed"):
        placed("https://{tenant}.example/token", TENANT)


def test_facts_of_a_preset_are_not_changed_by_its_use() -> None:
    before = dict(preset_named("wix").extra)
    filled_in(preset_named("wix"), {"post_params": ["instance_id=1"]})["scope"] = "x"
    assert preset_named("wix").extra == before
