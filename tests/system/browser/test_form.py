"""The connection form as a data engineer meets it: filled in, saved, opened again, tested, in a real browser.

What is typed is written here once, field by field; labels, kinds and sections come from the table of fields,
so that a field added there and forgotten here fails a test.

The Test button of Airflow 3.3.2 refuses every saved connection without a port: the page sends port 0, the
route compares it with the stored "none" and takes it for another server. The form hides the port, so there a
person cannot help it; over the REST API or the command line a port can be stored, and any will do that the
access token URL has as well: 443 for https.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import (
    CONNECTION_TYPE,
    FIELDS,
    FIELDS_BY_KEY,
    HOOK_NAME,
    STANDARD_FIELDS,
)
from airflow_oauth_provider.connection.provider_form import default_extra
from tests.support.servers.oidc_server import Client, OidcServer
from tests.system.browser.airflow_server import AirflowServer

# The suites of older Airflow versions collect this file too, without a browser.
pytest.importorskip("playwright.sync_api", reason="needs the dev extra")

from tests.system.browser import pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

# The first test also starts Airflow, which takes minutes where nothing is compiled yet.
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

CONN_ID = "crm"
SECTIONS = list(dict.fromkeys(entry.section for entry in FIELDS))
HOST, CLIENT_ID, CLIENT_SECRET = (entry.label for entry in STANDARD_FIELDS)

SECRET = "s3cret: with ümlaut & %41 + 'quotes\""
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIIB…not one, nor need the form know\n-----END PRIVATE KEY-----\n"
CERTIFICATE = PRIVATE_KEY.replace("PRIVATE KEY", "CERTIFICATE")

#: Key to the value that ends up in the connection's extra; no value is the field's default.
STORED: dict[str, Any] = {
    "auth_method": "client_secret_post",
    "scope": "orders.read Orders.Write",
    "audience": "https://api.example",
    "base_url": "https://api.example/v1",
    "include_scope": False,
    "resource": ["https://api.example/orders", "https://api.example/stock"],
    "allowed_scopes": ["orders.write"],
    "allowed_audiences": ["https://reports.example"],
    "rich_requests": '[{"type": "orders", "actions": ["read"]}]',
    "query_params": ["tenant=emea", "empty="],
    "post_params": ["realm=production", "formula=a=b+c"],
    "secret_params": "account_password=first secret\npin=second secret",
    "request_headers": ["X-Tenant=emea"],
    "secret_headers": "X-Gateway-Key=third secret",
    "discovery": True,
    "profile": "fapi2",
    "max_retry_attempts": 0,
    "max_wait": 90,
    "private_key": PRIVATE_KEY,
    "private_key_passphrase": "passphrase secret",
    "certificate": CERTIFICATE,
    "jwt_algorithm": "PS256",
    "key_id": "2026-key-1",
    "jwt_lifetime": 300,
    "jwt_audience": "https://idp.example",
    "jwt_claims": ["tenant=emea"],
    "dpop": True,
    "assertion_file": "/run/secrets/tokens/idp",
    "assertion_kind": "jwt-spiffe",
    "external_credential": "vault",
    "custom_provider": "corporate",
    "allowed_origins": ["https://files.example"],
    "api_headers": ["Accept=application/json"],
    "probe_path": "/health",
    "require_scopes": "orders.read",
    "refresh_on_status": ["401", "403"],
    "cool_down": "never",
    "dead_when": "$.errors[*].code in 601, 602",
    "ca_certificates": CERTIFICATE,
    "verify_tls": False,
    "request_timeout": 7,
    "proxy_url": "http://robot:proxy-secret@proxy.example:3128",
    "category": "finance",
    "credential_expires_on": "2027-03-31",
    "tenant": "acme",
    "tenants": ["beta", "gamma"],
    "body_format": "json",
    "grant_name": "account_credentials",
    "answer_fields": ["access_token=$.data.token", "expires_in=$.data.lifetime"],
    "expires_in_unit": "milliseconds",
    "tolerate": ["created", "untyped"],
    "header_name": "X-Api-Token",
    "header_scheme": "Token",
    "basic_encoding": "raw",
}


@pytest.fixture
def page(airflow: AirflowServer, signed_in: Page) -> Page:
    """The list of connections, freshly loaded."""
    pages.open_connections(signed_in, airflow.url)
    return signed_in


@pytest.fixture
def form(airflow: AirflowServer, page: Page) -> Iterator[pages.ConnectionForm]:
    """Add Connection with our type chosen; what gets saved is gone after the test."""
    yield pages.add_connection(page, CONN_ID, HOOK_NAME)
    airflow.delete_connection(CONN_ID)


def typed(entry: Field, stored: Any) -> pages.Value:
    """Return what a person enters into a field, and sees there again, for a stored value."""
    if entry.kind is Kind.ENUM:
        return entry.choices.get(stored, "")
    if stored is None:
        return ""
    return stored if isinstance(stored, bool | list) else str(stored)


def displayed(entry: Field, stored: Any) -> pages.Value:
    """Return what an opened form shows for a stored value."""
    if entry.secret:
        return pages.MASK if stored else ""
    value = typed(entry, stored)
    return "\n".join(value) if isinstance(value, list) else value


def of_section(section: str) -> list[Field]:
    return [entry for entry in FIELDS if entry.section == section]


def masked(extra: dict[str, Any]) -> dict[str, Any]:
    """Return an extra as the REST API shows it."""
    return {key: pages.MASK if FIELDS_BY_KEY[key].secret and extra[key] else extra[key] for key in extra}


def fill_standard_fields(form: pages.ConnectionForm, *, host: str, login: str, secret: str) -> None:
    form.fill(HOST, host)
    form.fill(CLIENT_ID, login)
    form.fill(CLIENT_SECRET, secret)


def fill_client(form: pages.ConnectionForm, oidc: OidcServer, client: Client, *, secret: str) -> None:
    fill_standard_fields(form, host=oidc.token_url, login=client.client_id, secret=secret)
    method = FIELDS_BY_KEY["auth_method"]
    form.fill(method.label, method.choices[client.method])
    form.fill(FIELDS_BY_KEY["scope"].label, "read")
    if client.private_key:
        form.fill(FIELDS_BY_KEY["private_key"].label, client.private_key)


def save_with_port(airflow: AirflowServer, form: pages.ConnectionForm, oidc: OidcServer) -> None:
    """Save so that Airflow 3.3.2 is willing to test."""
    form.save()
    airflow.patch_connection(CONN_ID, port=urlsplit(oidc.token_url).port).raise_for_status()
    oidc.reset()


def test_this_file_knows_every_field() -> None:
    assert list(STORED) == [entry.key for entry in FIELDS]
    unchanged = [key for key, value in default_extra().items() if STORED[key] == value]
    assert not unchanged


@pytest.mark.fault("F47")
def test_the_form_shows_every_field_in_its_section(form: pages.ConnectionForm) -> None:
    assert form.sections() == ["Standard Fields", *SECTIONS, "Extra Fields JSON"]
    standard = [
        "Connection ID",
        "Connection Type",
        "Description",
        *(entry.label for entry in STANDARD_FIELDS),
    ]
    assert form.labels() == [*standard, *(entry.label for entry in FIELDS)]
    assert form.required_labels() == ["Connection ID", "Connection Type"]
    pages.screenshot(form.page, "add-standard-fields")


def test_the_form_explains_every_field_and_starts_with_its_default(form: pages.ConnectionForm) -> None:
    for entry in FIELDS:
        assert form.help_text(entry.label) == entry.description
        form.expect_value(entry.label, displayed(entry, entry.default))
        if entry.choices:
            assert form.options(entry.label) == list(entry.choices.values())
    for section in SECTIONS:
        form.open_section(section)
        pages.screenshot(form.page, f"add-{section}")


@pytest.mark.fault("F89")
def test_a_form_that_is_ready_late_is_filled_in(airflow: AirflowServer, signed_in: Page) -> None:
    """As on a busy machine: Airflow tells the types when the form is open already."""
    page = signed_in

    def respond_late(route: Any) -> None:
        page.wait_for_timeout(2000)
        route.continue_()

    page.route("**/connections/hook_meta", respond_late)
    pages.open_connections(page, airflow.url)
    form = pages.add_connection(page, CONN_ID, HOOK_NAME)
    fill_standard_fields(form, host="https://idp.example/token", login="client id", secret=SECRET)
    form.expect_value("Connection ID", CONN_ID)
    form.expect_value("Connection Type", HOOK_NAME)
    form.expect_value(HOST, "https://idp.example/token")
    form.close()
    page.unroute("**/connections/hook_meta")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_stored_as_typed_and_shown_again(
    airflow: AirflowServer, form: pages.ConnectionForm, section: str
) -> None:
    fill_standard_fields(form, host="https://idp.example/token", login="client id", secret=SECRET)
    ours = {entry.key: STORED[entry.key] for entry in of_section(section)}
    for entry in of_section(section):
        form.fill(entry.label, typed(entry, ours[entry.key]))
    pages.screenshot(form.page, f"filled-{section}")
    assert form.save() == 201

    before = airflow.stored_connection(CONN_ID)
    assert before["extra"] == default_extra() | ours
    standard = (before["host"], before["login"], before["password"])
    assert standard == ("https://idp.example/token", "client id", SECRET)
    assert airflow.connection(CONN_ID)["extra"] == masked(before["extra"])

    again = pages.edit_connection(form.page, CONN_ID)
    for entry in of_section(section):
        again.expect_value(entry.label, displayed(entry, ours[entry.key]))
    pages.screenshot(form.page, f"edit-{section}")
    again.expect_value(CLIENT_SECRET, pages.MASK)
    assert again.save() == 200
    assert airflow.stored_connection(CONN_ID) == before


def test_a_changed_field_keeps_the_secrets_of_the_others(
    airflow: AirflowServer, form: pages.ConnectionForm
) -> None:
    secrets = [entry for entry in FIELDS if entry.secret]
    fill_standard_fields(form, host="https://idp.example/token", login="client id", secret=SECRET)
    for entry in secrets:
        form.fill(entry.label, typed(entry, STORED[entry.key]))
    form.save()

    again = pages.edit_connection(form.page, CONN_ID)
    again.fill(FIELDS_BY_KEY["secret_params"].label, "pin=another secret")
    again.fill(FIELDS_BY_KEY["scope"].label, "orders.read")
    again.save()

    stored = airflow.stored_connection(CONN_ID)
    changed = {"secret_params": "pin=another secret", "scope": "orders.read"}
    kept = {entry.key: STORED[entry.key] for entry in secrets}
    assert stored["extra"] == default_extra() | kept | changed
    assert stored["password"] == SECRET


def test_a_viewer_may_not_see_connections(airflow: AirflowServer) -> None:
    assert airflow.call("GET", "/connections", user="viewer").status_code == 403


@pytest.mark.fault("F89")
@pytest.mark.parametrize("name", ["basic", "awkward", "post", "jwt", "RS256"])
def test_the_test_button_tells_what_was_granted(
    airflow: AirflowServer, form: pages.ConnectionForm, oidc: OidcServer, name: str
) -> None:
    client = oidc.clients[name]
    fill_client(form, oidc, client, secret=client.secret or "")
    save_with_port(airflow, form, oidc)

    result = pages.press_test(form.page, airflow.url, CONN_ID)

    pages.screenshot(form.page, f"test-success-{name}")
    assert (result.ok, result.status) == (True, 200), result.message
    assert "Authorized until " in result.message
    assert "scopes: read" in result.message
    assert [request["status"] for request in oidc.requests()] == [200]
    assert (client.secret or client.private_key or "") not in result.message + airflow.log()


def test_the_test_button_shows_a_refusal_and_the_configuration_stays(
    airflow: AirflowServer, form: pages.ConnectionForm, oidc: OidcServer
) -> None:
    fill_client(form, oidc, oidc.clients["basic"], secret="a wrong secret")
    save_with_port(airflow, form, oidc)
    before = airflow.stored_connection(CONN_ID)

    result = pages.press_test(form.page, airflow.url, CONN_ID)

    pages.screenshot(form.page, "test-refused")
    assert (result.ok, result.status) == (False, 200)
    assert "invalid_client" in result.message
    assert "check client id and secret" in result.message.lower()
    assert [request["status"] for request in oidc.requests()] == [401]
    assert "a wrong secret" not in result.message + airflow.log()
    assert airflow.stored_connection(CONN_ID) == before
    again = pages.edit_connection(form.page, CONN_ID)
    again.expect_value(HOST, oidc.token_url)
    again.expect_value(FIELDS_BY_KEY["scope"].label, "read")


@pytest.mark.skipif(version("apache-airflow-core") != "3.3.2", reason="a fault of this one release")
def test_without_a_port_airflow_refuses_before_it_asks_us(
    airflow: AirflowServer, form: pages.ConnectionForm, oidc: OidcServer
) -> None:
    client = oidc.clients["basic"]
    fill_client(form, oidc, client, secret=client.secret or "")
    form.save()
    oidc.reset()

    result = pages.press_test(form.page, airflow.url, CONN_ID)

    pages.screenshot(form.page, "test-without-port")
    assert (result.ok, result.status, result.message) == (False, 400, "Bad Request")
    assert oidc.requests() == []


def test_the_test_route_needs_no_port(
    airflow: AirflowServer, form: pages.ConnectionForm, oidc: OidcServer
) -> None:
    client = oidc.clients["basic"]
    fill_client(form, oidc, client, secret=client.secret or "")
    form.save()

    response = airflow.test_connection(
        CONN_ID, CONNECTION_TYPE, host=oidc.token_url, login=client.client_id, password=pages.MASK
    )

    assert response.json()["status"] is True, response.text
