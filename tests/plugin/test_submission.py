"""What the form's script sends, and what it never does."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from tests.plugin.visiting import MARKS

pytestmark = MARKS


def test_it_is_read() -> None:
    from airflow_oauth_provider.plugin.submission import submission_of

    fields = {"scope": "b", "post_params": [["d", "e"]], "password": None}
    body: dict[str, Any] = {"fields": fields, "preset": "zoom", "digest": "1"}
    read = submission_of(body | {"files": {"private_key": base64.b64encode(b"PEM").decode()}})
    assert (read.fields, read.files, read.preset, read.tenant, read.digest) == (
        *(body["fields"], {"private_key": b"PEM"}, "zoom", "", "1"),
    )


@pytest.mark.parametrize(
    "body",
    [
        *({"fields": None}, {"fields": {"scope": {}}}, {"tenant": []}, {"files": []}),
        {"fields": {"post_params": [["b"]]}},
        *({"fields": {key: [["b", "c"]]}} for key in ("password", "host", "conn_id", "scope", "private_key")),
        *({"fields": {"\ud800": "x"}}, {"files": {"\ud800": ""}}),
    ],
)
def test_anything_else_is_refused(body: dict[str, Any]) -> None:
    from airflow_oauth_provider.plugin.messages import PageError
    from airflow_oauth_provider.plugin.submission import submission_of

    with pytest.raises(PageError):
        submission_of(body)


@pytest.mark.parametrize("content", ["not Base64!", 1, None])
def test_a_file_that_did_not_arrive_whole(content: Any) -> None:
    from airflow_oauth_provider.plugin.submission import submission_of

    with pytest.raises(ConfigurationError) as raised:
        submission_of({"files": {"private_key": content}})
    assert raised.value.field == "private_key"


def test_it_shows_no_secret_and_names_known_fields_only() -> None:
    from airflow_oauth_provider.plugin.submission import Submission

    given = Submission({"scope": "a", "password": "zz-secret", "evil": "x"}, {"private_key": b"zz-key"})
    assert "zz" not in repr(given)
    assert given.names == ["password", "private_key", "scope"]
