"""What a form shows of a connection, and what it sends; more of it in the tests of the page."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.authorizations.form_values import FormValue, entered, form_values
from tests.support.service import Service


@pytest.mark.parametrize(
    ("key", "stored", "shown"),
    [
        ("post_params", ["a=b", "api_key=secret"], FormValue(rows=(("a", "b"), ("api_key", "***")))),
        ("post_params", {"a": "b"}, FormValue(rows=(("a", "b"),))),
        ("post_params", ["broken"], FormValue(stored=True)),
        ("jwt_claims", {"a": [1]}, FormValue('{"a": [1]}')),
        ("jwt_claims", {"api_key": [1]}, FormValue(stored=True)),
        ("answer_fields", ["access_token=$.token"], FormValue(rows=(("access_token", "$.token"),))),
        ("resource", ["https://a", "https://b"], FormValue("https://a\nhttps://b")),
        ("include_scope", False, FormValue("false")),
        ("max_wait", 30, FormValue("30")),
        ("secret_params", "pin=1234", FormValue(stored=True)),
        ("scope", None, FormValue()),
        ("category", "my a-client-secret", FormValue(stored=True)),
    ],
)
def test_a_field_shows_what_is_no_secret(service: Service, key: str, stored: Any, shown: FormValue) -> None:
    connection = service.connection(password="a-client-secret", **{key: stored})
    assert form_values(connection)[key] == shown


@pytest.mark.parametrize(
    ("given", "stored", "fields"),
    [
        ({"scope": "a b"}, {}, {"scope": "a b"}),
        ({"scope": ""}, {}, {"scope": None}),
        ({"secret_params": ""}, {}, {}),
        ({"secret_params": None}, {}, {"secret_params": None}),
        ({"post_params": [["a", "b"], ["", ""]]}, {}, {"post_params": ["a=b"]}),
        ({"post_params": [["a=c", "b"]]}, {}, {"post_params": {"a=c": "b"}}),
        ({"post_params": [["k", "***"]]}, {"post_params": ["k=v"]}, {"post_params": ["k=v"]}),
        ({"post_params": []}, {"post_params": ["k=v"]}, {"post_params": []}),
        ({"answer_fields": [["scope", "$.s"]]}, {}, {"answer_fields": ["scope=$.s"]}),
        ({"include_scope": "false"}, {}, {"include_scope": False}),
    ],
)
def test_it_is_stored_as_airflows_form_would(given: Any, stored: Any, fields: Any) -> None:
    assert entered(given, Faults(), stored=stored).fields == fields


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"post_params": [["", "b"]]}, "post_params"),
        ({"post_params": [["a", "b"], ["a", "c"]]}, "post_params"),
        ({"post_params": [["k", "***"]]}, "post_params"),
        ({"max_wait": "soon"}, "max_wait"),
        ({"nothing": "x"}, "nothing"),
    ],
)
def test_what_is_wrong_is_told_with_its_field(given: Any, field: str) -> None:
    faults = Faults()
    read = entered({"scope": "read", **given}, faults)
    assert list(faults.by_field) == [field]
    assert read.fields == {"scope": "read"}


def test_the_client_secret() -> None:
    assert [entered({"password": text}, Faults()).password for text in ("new", "", None)] == ["new", None, ""]
    assert entered({}, Faults()).password is None
