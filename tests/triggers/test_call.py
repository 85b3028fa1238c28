from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.triggers.call import Call
from airflow_oauth_provider.triggers.oauth2 import (
    OAuth2HttpEventTrigger,
    OAuth2HttpSensorTrigger,
    OAuth2HttpTrigger,
)

pytestmark = [pytest.mark.airflow]


def test_arguments_survive_json() -> None:
    call = Call(
        "my_api",
        endpoint="orders",
        method="POST",
        headers={"A": "b"},
        extra_options={"timeout": (1, 2)},
        request_kwargs={"json": {"a": [1, None, True]}},
        base_url="https://api.example",
    )
    again = Call(**json.loads(json.dumps(call.arguments())))
    assert (
        again.arguments() == json.loads(json.dumps(call.arguments())) or again.arguments() == call.arguments()
    )
    assert again.extra_options == {"timeout": (1, 2)}, "a pair is a pair again"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"data": b"bytes"}, "data"),
        ({"data": {1: 2}}, "data"),
        ({"headers": {"A": object()}}, "headers"),
        ({"request_kwargs": {"files": {1, 2}}}, "request_kwargs"),
        ({"method": 3}, "method"),
    ],
)
def test_what_cannot_go_to_the_triggerer_is_named(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Call("my_api", **arguments)
    assert field in str(caught.value)


@pytest.mark.parametrize("kind", [OAuth2HttpTrigger, OAuth2HttpSensorTrigger, OAuth2HttpEventTrigger])
def test_one_id_under_either_name(kind: Any) -> None:
    assert kind(http_conn_id="a").call.oauth2_conn_id == "a"
    with pytest.raises(ConfigurationError):
        kind("a", http_conn_id="b")


@pytest.mark.fault("F48")
@pytest.mark.parametrize("kind", [OAuth2HttpTrigger, OAuth2HttpSensorTrigger, OAuth2HttpEventTrigger])
def test_a_wrong_name_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="endpont"):
        kind("a", endpont="orders")
    with pytest.raises(TypeError, match="positional"):
        kind("a", "orders")
