"""The connection form as a data engineer meets it: filled in, saved, opened again, tested, in a real browser.

What is typed is written here once, field by field; labels, kinds and sections come from the table of fields, so
that a field added there and forgotten here fails a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_oauth_provider.fields import (
    FIELDS,
    HOOK_NAME,
    STANDARD_FIELDS,
    Field,
    Kind,
    default_extra,
)
from tests.browser import pages
from tests.browser.airflow_server import AirflowServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONN_ID = "crm"
SECTIONS = list(dict.fromkeys(entry.section for entry in FIELDS))
HOST, CLIENT_ID, CLIENT_SECRET = (entry.label for entry in STANDARD_FIELDS)

SECRET = "s3cret: with ümlaut & %41 + 'quotes\""
PRIVATE_KEY = (
    "-----BEGIN PRIVATE KEY-----\nMIIB…not a key, and the form need not know\n-----END PRIVATE KEY-----\n"
)
CERTIFICATE = PRIVATE_KEY.replace("PRIVATE KEY", "CERTIFICATE")

#: Key to the value that ends up in the connection's extra; no value is the field's default.
STORED: dict[str, Any] = {
    "auth_method": "client_secret_post",
    "scope": "orders.read Orders.Write",
    "include_scope": False,
    "audience": "https://api.example",
    "resource": ["https://api.example/orders", "https://api.example/stock"],
    "query_params": ["tenant=emea", "empty="],
    "post_params": ["realm=production", "formula=a=b+c"],
    "secret_params": "account_password=first secret\npin=second secret",
    "request_headers": ["X-Tenant=emea"],
    "secret_headers": "X-Gateway-Key=third secret",
    "basic_encoding": "raw",
    "max_retry_attempts": 0,
    "max_wait": 90,
    "private_key": PRIVATE_KEY,
    "private_key_passphrase": "passphrase secret",
    "jwt_algorithm": "PS256",
    "key_id": "2026-key-1",
    "jwt_lifetime": 300,
    "jwt_audience": "https://idp.example",
    "jwt_claims": ["tenant=emea"],
    "custom_provider": "corporate",
    "base_url": "https://api.example/v1",
    "allowed_origins": ["https://files.example"],
    "api_headers": ["Accept=application/json"],
    "probe_path": "/health",
    "require_scopes": "orders.read",
    "refresh_on_status": ["401", "403"],
    "ca_certificates": CERTIFICATE,
    "verify_tls": False,
    "request_timeout": 7,
    "proxy_url": "http://robot:proxy-secret@proxy.example:3128",
    "category": "finance",
}


@pytest.fixture(scope="module")
def airflow() -> Iterator[AirflowServer]:
    """Airflow itself, with this provider installed."""
    with AirflowServer() as server:
        yield server


@pytest.fixture(scope="module")
def signed_in(airflow: AirflowServer) -> Iterator[Page]:
    """One browser for all tests here: starting it and signing in is the slow part."""
    with pages.browser() as page:
        pages.log_in(page, airflow.url, "admin", airflow.password)
        yield page


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


def shown(entry: Field, stored: Any) -> pages.Value:
    """Return what an opened form shows for a stored value."""
    if entry.secret:
        return pages.MASK if stored else ""
    value = typed(entry, stored)
    return "\n".join(value) if isinstance(value, list) else value


def of_section(section: str) -> list[Field]:
    return [entry for entry in FIELDS if entry.section == section]


def fill_standard_fields(form: pages.ConnectionForm, *, host: str, login: str, secret: str) -> None:
    form.fill(HOST, host)
    form.fill(CLIENT_ID, login)
    form.fill(CLIENT_SECRET, secret)


def test_this_file_knows_every_field() -> None:
    assert list(STORED) == [entry.key for entry in FIELDS]
    unchanged = [key for key, value in default_extra().items() if STORED[key] == value]
    assert not unchanged


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


@pytest.mark.parametrize("section", SECTIONS)
def test_the_form_explains_every_field_and_starts_with_its_default(
    form: pages.ConnectionForm, section: str
) -> None:
    for entry in of_section(section):
        assert form.help_text(entry.label) == entry.description
        assert form.value(entry.label) == shown(entry, entry.default)
        if entry.choices:
            assert form.options(entry.label) == list(entry.choices.values())
    form.open_section(section)
    pages.screenshot(form.page, f"add-{section}")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_stored_as_typed_and_shown_again(
    airflow: AirflowServer, form: pages.ConnectionForm, section: str
) -> None:
    fill_standard_fields(form, host="https://idp.example/token", login="client id", secret=SECRET)
    ours = {entry.key: STORED[entry.key] for entry in of_section(section)}
    for entry in of_section(section):
        form.fill(entry.label, typed(entry, STORED[entry.key]))
    pages.screenshot(form.page, f"filled-{section}")
    assert form.save() == 201

    wanted = default_extra() | ours
    masked = {
        entry.key: pages.MASK if entry.secret and wanted[entry.key] else wanted[entry.key] for entry in FIELDS
    }
    assert airflow.connection(CONN_ID)["extra"] == masked
    before = airflow.stored_connection(CONN_ID)
    assert before["extra"] == wanted
    assert (before["host"], before["login"], before["password"]) == (
        "https://idp.example/token",
        "client id",
        SECRET,
    )

    again = pages.edit_connection(form.page, CONN_ID)
    for entry in of_section(section):
        assert again.value(entry.label) == shown(entry, ours[entry.key]), entry.key
    assert again.value(CLIENT_SECRET) == pages.MASK
    pages.screenshot(form.page, f"edit-{section}")
    assert again.save() == 200
    assert airflow.stored_connection(CONN_ID) == before
