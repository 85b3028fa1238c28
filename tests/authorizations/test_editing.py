"""What a new connection and an edited one hold; more of it through the commands and the page."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace

import pytest

from airflow_oauth_provider.authorizations.editing import (
    Entered,
    SecretsRequiredError,
    edit_of,
    edited_connection,
    new_connection,
    require_name,
)
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE, FIELDS_BY_KEY
from airflow_oauth_provider.exceptions import ConfigurationError


def before(**extra: object) -> ConnectionValues:
    return ConnectionValues(
        "x", conn_type=CONNECTION_TYPE, host="https://a.example", password="secret", extra=json.dumps(extra)
    )


def test_a_new_one_has_every_field() -> None:
    values = new_connection("x", Entered(host="https://a.example", password="", fields={"scope": "read"}))
    extra = json.loads(values.extra or "")
    assert (set(extra), extra["scope"], values.password) == (set(FIELDS_BY_KEY), "read", None)


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "n" * 51])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        require_name(name)
    assert raised.value.field == "conn_id"


def test_what_is_not_entered_stays_and_a_secret_can_be_removed() -> None:
    after = edited_connection(before(scope="a"), Entered(fields={"category": "b"}))
    assert (after.host, after.password, json.loads(after.extra or "")["scope"]) == (
        *("https://a.example", "secret", "a"),
    )
    assert edited_connection(before(), Entered(password="")).password is None


@pytest.mark.parametrize(
    ("fields", "restored", "missing"),
    [
        pytest.param({}, [], ("password", "post_params"), id="left as it is"),
        pytest.param(
            {"post_params": ["api_key=k"]}, ["post_params"], ("password", "post_params"), id="unseen"
        ),
        pytest.param({"post_params": ["api_key=k"]}, [], ("password",), id="entered again"),
    ],
)
def test_what_airflow_hides_by_its_name_goes_to_no_other_host(
    fields: dict[str, object], restored: list[str], missing: tuple[str, ...]
) -> None:
    stored = before(post_params=["api_key=k", "realm=r"], query_params=["realm=r"])
    entered = Entered(host="https://b.example", fields=fields, restored=frozenset(restored))
    with pytest.raises(SecretsRequiredError) as raised:
        edited_connection(stored, entered)
    assert raised.value.missing == missing
    assert edited_connection(stored, Entered(login="other")).login == "other"


def test_errors_with_facts_survive_copy_and_pickle() -> None:
    with pytest.raises(SecretsRequiredError) as raised:
        edited_connection(before(secret_params="pin=1"), Entered(host="https://b.example"))
    error = raised.value
    for copied in (copy.copy(error), pickle.loads(pickle.dumps(error)), error.for_connection("y")):
        assert (copied.message, copied.field, copied.missing) == (error.message, error.field, error.missing)
    assert raised.value.missing == ("password", "secret_params")


def test_secrets_that_are_missing_are_not_in_what_comes_of_an_edit() -> None:
    """So that all else that is wrong with it can be told; it may not be saved."""
    edit = edit_of(before(secret_params="pin=1"), Entered(host="https://b.example", login=""))
    assert edit.required is not None
    assert (edit.values.host, edit.values.login, edit.values.password) == ("https://b.example", "", None)
    assert "pin" not in str(edit.values.extra)


@pytest.mark.fault("F21")
@pytest.mark.parametrize(
    ("address", "restored", "missing"),
    [
        pytest.param({"base_url": "https://evil.example"}, [], ("api_headers",), id="base URL"),
        pytest.param({"allowed_origins": ["https://evil.example"]}, [], ("api_headers",), id="origins"),
        pytest.param({"base_url": "https://evil.example"}, ["api_headers"], ("api_headers",), id="unseen"),
    ],
)
def test_hidden_headers_go_to_no_other_api(
    address: dict[str, object], restored: list[str], missing: tuple[str, ...]
) -> None:
    stored = before(base_url="https://api.example", api_headers=["X-Api-Key=k"])
    headers = {"api_headers": ["X-Api-Key=k"]}
    entered = Entered(fields=address | (headers if restored else {}), restored=frozenset(restored))
    with pytest.raises(SecretsRequiredError, match="address of the API changed") as raised:
        edited_connection(stored, entered)
    assert raised.value.missing == missing
    after = edited_connection(stored, Entered(fields=address | headers))
    assert after.password == "secret", "the client secret goes to the token host, which is the same"


@pytest.mark.fault("F21")
@pytest.mark.parametrize(
    ("stored", "entered", "changed"),
    [
        pytest.param(
            {"discovery": True}, Entered(host="https://a.example/evil"), "issuer changed", id="other metadata"
        ),
        pytest.param(
            {"auth_method": "custom", "custom_provider": "ours"},
            Entered(fields={"custom_provider": "another"}),
            "custom provider changed",
            id="other code",
        ),
    ],
)
def test_who_else_decides_where_a_secret_goes(
    stored: dict[str, object], entered: Entered, changed: str
) -> None:
    with pytest.raises(SecretsRequiredError, match=changed):
        edited_connection(before(**stored), entered)
    assert edited_connection(before(), Entered(host="https://a.example/path")).password == "secret"


@pytest.mark.fault("F21")
@pytest.mark.parametrize(
    ("given", "missing"),
    [
        pytest.param({"tenant": "emea"}, ("password", "api_headers"), id="another"),
        pytest.param({"tenants": ["emea"]}, ("password", "api_headers"), id="one-more"),
        pytest.param({"tenant": "apac"}, (), id="one-of-them"),
        pytest.param({"tenants": []}, (), id="one-less"),
        pytest.param({"scope": "read"}, (), id="something-else"),
    ],
)
def test_another_tenant_is_another_host(given: dict[str, object], missing: tuple[str, ...]) -> None:
    extra = {"base_url": "{tenant}.api.example/v1", "api_headers": ["X-Api-Key=k"]}
    stored = replace(
        before(**extra, tenant="acme", tenants=["apac"]), host="https://{tenant}.idp.example/{tenant}/token"
    )
    if not missing:
        assert edited_connection(stored, Entered(fields=given)).password == "secret"
        return
    with pytest.raises(SecretsRequiredError, match="token host and address of the API changed") as raised:
        edited_connection(stored, Entered(fields=given))
    assert raised.value.missing == missing


def test_another_tenant_in_a_path_is_the_same_host() -> None:
    stored = replace(before(tenant="acme", base_url="https://api.example/{tenant}"), host="https://a.example")
    assert edited_connection(stored, Entered(fields={"tenant": "emea"})).password == "secret"
