"""The public API as a typed user writes it, right and wrong; see ``tests/test_public_api.py``.

Each line that is wrong on purpose says which error the type checker reports; a line that is right says
nothing. With ``strict``, mypy refuses a comment that is not needed, too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import requests

from airflow_oauth_provider.auth import OAuth2Auth, bearer_token_callable
from airflow_oauth_provider.exceptions import InvalidClientError, OAuthError, ResourceError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier
from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator, OAuth2HttpOperator
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.triggers.oauth2 import (
    OAuth2HttpEventTrigger,
    OAuth2HttpSensorTrigger,
    OAuth2HttpTrigger,
)


def next_page(response: requests.Response) -> dict[str, Any] | None:
    return {"endpoint": response.json()["next"]} if response.json()["next"] else None


def operators() -> None:
    OAuth2HttpOperator(task_id="a", oauth2_conn_id="orders_api", method="GET", endpoint="orders")
    OAuth2HttpOperator(
        task_id="b",
        http_conn_id="orders_api",
        endpoint="orders",
        json={"article": "B-1"},
        headers={"X-One": "1"},
        extra_options={"timeout": 5},
        request_kwargs={"params": {"dry": "1"}},
        base_url="https://api.example",
        pagination_function=next_page,
        response_check=lambda response: response.ok,
        response_filter=len,
        log_response=True,
        deferrable=True,
        retry_args={},
        response_headers=["X-Total"],
        max_event_body=0,
        fail_fast=False,
        tcp_keep_alive=False,
        retries=3,
        retry_delay=timedelta(minutes=1),
        execution_timeout=timedelta(hours=1),
        on_failure_callback=OAuth2HttpNotifier(endpoint="failures"),
        pool="orders",
    )
    OAuth2HttpOperator(task_id="c", response_check=ResponseCheck(status=200), response_headers="X-Total")
    OAuth2HttpOperator(task_id="d", endpont="orders")  # type: ignore[call-arg]
    OAuth2HttpOperator(task_id="d", method=3)  # type: ignore[arg-type]
    OAuth2HttpOperator(task_id="d", retires=3)  # type: ignore[call-arg]
    OAuth2HttpOperator(task_id="d", retries="3")  # type: ignore[arg-type]
    OAuth2HttpOperator(task_id="d", response_check="done")  # type: ignore[arg-type]
    OAuth2HttpOperator(task_id="d", auth_type=requests.auth.HTTPBasicAuth)  # type: ignore[arg-type]
    OAuth2HttpOperator(task_id="d", headers={"X-Page": 1})  # type: ignore[dict-item]
    OAuth2HttpOperator(endpoint="orders")  # type: ignore[call-arg]
    OAuth2HttpOperator("d")  # type: ignore[call-arg]


def checks() -> None:
    OAuth2AuthorizationCheckOperator(task_id="a", oauth2_conn_ids=["orders_api"], expires_within_days=14)
    OAuth2AuthorizationCheckOperator(task_id="b", oauth2_conn_id="x", on_failed="event", asset_alias="a")
    OAuth2AuthorizationCheckOperator(task_id="c", oauth2_conn_ids="x", schedule="@daily")  # type: ignore[call-arg]
    OAuth2AuthorizationCheckOperator(task_id="c", oauth2_conn_ids="x", on_failed="ignore")  # type: ignore[arg-type]


def sensors() -> None:
    check = ResponseCheck(json_path="$.state", expected="done", failed=["error"])
    OAuth2HttpSensor(task_id="a", oauth2_conn_id="orders_api", endpoint="job/7", response_check=check)
    OAuth2HttpSensor(
        task_id="b",
        endpoint="job/7",
        method="GET",
        request_params={"a": 1},
        response_error_codes_allowlist=[404, "409"],
        response_check=lambda response, ds: response.json()["day"] == ds,
        poke_interval=timedelta(seconds=30),
        timeout=3600,
        max_wait=600.0,
        exponential_backoff=True,
        soft_fail=True,
        mode="reschedule",
        deferrable=False,
        max_consecutive_failures=None,
    )
    OAuth2HttpSensor(task_id="c")  # type: ignore[call-arg]
    OAuth2HttpSensor(task_id="c", endpoint="x", poke_intervall=5)  # type: ignore[call-arg]
    OAuth2HttpSensor(task_id="c", endpoint="x", timeout="5")  # type: ignore[arg-type]
    OAuth2HttpSensor(task_id="c", endpoint="x", response_error_codes_allowlist=404)  # type: ignore[arg-type]


def triggers() -> None:
    check = {"json_path": "$.state", "expected": "done"}
    OAuth2HttpTrigger("orders_api", endpoint="orders", data={"a": 1}, max_event_body=None)
    OAuth2HttpSensorTrigger("orders_api", endpoint="job/7", poke_interval=5, response_check=check)
    OAuth2HttpEventTrigger("orders_api", endpoint="orders", poll_interval=60, payload_path="$.total")
    OAuth2HttpTrigger("orders_api", endpont="orders")  # type: ignore[call-arg]
    OAuth2HttpSensorTrigger("orders_api", endpont="orders")  # type: ignore[call-arg]
    OAuth2HttpEventTrigger("orders_api", endpont="orders")  # type: ignore[call-arg]
    OAuth2HttpSensorTrigger("orders_api", poll_interval=5)  # type: ignore[call-arg]
    OAuth2HttpEventTrigger("orders_api", endpoint=7)  # type: ignore[arg-type]
    OAuth2HttpEventTrigger("orders_api", response_check=len)  # type: ignore[arg-type]


def notifiers() -> None:
    OAuth2HttpNotifier(oauth2_conn_id="alerts", endpoint="failures", json={"dag": "{{ dag.dag_id }}"})
    OAuth2HttpNotifier(oauth2_conn_id="alerts", endpont="failures")  # type: ignore[call-arg]
    OAuth2HttpNotifier(oauth2_conn_id="alerts", method=None)  # type: ignore[arg-type]


async def hooks() -> None:
    hook = OAuth2Hook("orders_api", method="GET", base_url="https://api.example")
    response: requests.Response = hook.run("orders", {"a": 1}, extra_options={"timeout": 5}, json={})
    token: AccessToken = hook.get_token(force=True)
    text: str = token.value + " ".join(token.scopes) + response.text
    until: float = token.expires_at
    await hook.arun("orders", headers={"X-One": "1"})
    token = await hook.aget_token("https://storage.example/.default", claims=None)
    ends_on: int = hook.credential().get_token("orders.read", tenant_id="acme").expires_on
    hook.get_token(True)  # type: ignore[arg-type]
    session = requests.Session()
    session.auth = hook.auth
    works, message = hook.test_connection()
    ends: int = hook.introspect(token, endpoint="https://idp.example/introspect").get("exp", 0)
    active: bool = (await hook.aintrospect("text", endpoint="https://idp.example/introspect"))["active"]
    revoked: bool = hook.revoke(endpoint="https://idp.example/revoke")
    revoked = await hook.arevoke(token, endpoint="https://idp.example/revoke")
    print(text, until, ends_on, works, message, ends, active, revoked)
    hook.introspect(token, "https://idp.example/introspect")  # type: ignore[call-arg]
    OAuth2Hook("orders_api", metod="GET")  # type: ignore[call-arg]
    OAuth2Hook("orders_api", method=3)  # type: ignore[arg-type]
    hook.run("orders", extra_options="timeout")  # type: ignore[arg-type]
    token.value = "x"  # type: ignore[misc]


def authentication() -> None:
    session = requests.Session()
    session.auth = OAuth2Auth("orders_api")
    OAuth2Auth("orders_api").mount(requests.Session()).get("https://api.example/orders", timeout=5)
    OAuth2Auth("orders_api").mount("https://api.example")  # type: ignore[arg-type]
    get_token = bearer_token_callable("orders_api")
    header: str = "Bearer " + get_token()
    OAuth2Auth(oauth2_connid="orders_api")  # type: ignore[call-arg]
    bearer_token_callable(7)  # type: ignore[arg-type]
    print(header)


def errors() -> float | None:
    try:
        operators()
    except InvalidClientError as error:
        return error.retry_after
    except ResourceError as error:
        return float(error.status or 0)
    except OAuthError as error:
        print(error.conn_id, error.retryable, error.message)
        error.status  # type: ignore[attr-defined]  # noqa: B018  (of some kinds only)
    return None
