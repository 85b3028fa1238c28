"""The public contract: where each name is imported from, and that its parameters are named and typed."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, TypedDict, get_type_hints

import airflow.sdk
import pytest
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator
from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor

from airflow_oauth_provider.tasks.parameters import SensorParameters, TaskParameters
from airflow_oauth_provider.triggers import oauth2 as triggers
from airflow_oauth_provider.triggers.call import Call, CallParameters
from tests.public_api import usage

pytestmark = [pytest.mark.airflow]
ROOT = Path(__file__).parents[1]
CALL = {
    "oauth2_conn_id",
    "http_conn_id",
    "endpoint",
    "method",
    "data",
    "headers",
    "extra_options",
    "base_url",
}
PUBLIC: dict[str, set[str]] = {
    "hooks.oauth2:OAuth2Hook": {"oauth2_conn_id", "method", "connection", "base_url", "http_conn_id"},
    "hooks.oauth2:OAuth2Hook.run": {"endpoint", "data", "headers", "extra_options", "request_kwargs"},
    "hooks.oauth2:OAuth2Hook.arun": {"endpoint", "data", "headers", "extra_options", "request_kwargs"},
    "hooks.oauth2:OAuth2Hook.run_with_advanced_retry": set(),
    "hooks.oauth2:OAuth2Hook.get_conn": {"headers", "extra_options"},
    "hooks.oauth2:OAuth2Hook.auth": set(),
    "hooks.oauth2:OAuth2Hook.get_token": {"scopes", "force", "claims", "tenant_id", "enable_cae"},
    "hooks.oauth2:OAuth2Hook.aget_token": {"scopes", "force", "claims", "tenant_id", "enable_cae"},
    "hooks.oauth2:OAuth2Hook.credential": set(),
    "hooks.oauth2:OAuth2Hook.introspect": {"token", "endpoint"},
    "hooks.oauth2:OAuth2Hook.aintrospect": {"token", "endpoint"},
    "hooks.oauth2:OAuth2Hook.revoke": {"token", "endpoint"},
    "hooks.oauth2:OAuth2Hook.arevoke": {"token", "endpoint"},
    "hooks.oauth2:OAuth2Hook.asession": set(),
    "hooks.oauth2:OAuth2Hook.test_connection": set(),
    "tokens:AccessToken": {"value", "token_type", "expires_at", "issued_at", "scopes"},
    "tokens:AccessToken.token": set(),
    "tokens:AccessToken.expires_on": set(),
    "adapters.azure:OAuth2Credential": {"oauth2_conn_id", "scope", "audience", "resource", "tenant"},
    "adapters.azure:AsyncOAuth2Credential": {"oauth2_conn_id", "scope", "audience", "resource", "tenant"},
    "adapters.httpx:OAuth2Auth": {
        "oauth2_conn_id",
        "base_url",
        "scope",
        "audience",
        "resource",
        "tenant",
    },
    "adapters.aiohttp:oauth2_middleware": {
        "oauth2_conn_id",
        "base_url",
        "scope",
        "audience",
        "resource",
        "tenant",
    },
    "auth:OAuth2Auth": {"oauth2_conn_id"},
    "auth:bearer_token_callable": {"oauth2_conn_id"},
    "operators.oauth2:OAuth2HttpOperator": CALL | {"json", "request_kwargs", "fail_fast"},
    "operators.oauth2:OAuth2AuthorizationCheckOperator": {"oauth2_conn_ids", "oauth2_conn_id"},
    "sensors.oauth2:OAuth2HttpSensor": CALL - {"data"} | {"request_params", "response_check"},
    "triggers.oauth2:OAuth2HttpTrigger": CALL | {"request_kwargs"},
    "triggers.oauth2:OAuth2HttpSensorTrigger": CALL | {"poke_interval", "response_check"},
    "triggers.oauth2:OAuth2HttpEventTrigger": CALL | {"poll_interval", "cursor", "payload_path"},
    "notifications.oauth2:OAuth2HttpNotifier": CALL | {"json"},
    "response_check:ResponseCheck": {"status", "json_path", "expected", "failed"},
    "exceptions:OAuthError": {"message", "conn_id"},
    "exceptions:ConfigurationError": {"message", "field", "conn_id"},
    "exceptions:ConnectionNotFoundError": {"message", "conn_id"},
    "exceptions:TransportError": {"message", "host", "retryable", "retry_after", "conn_id"},
    "exceptions:TokenResponseError": {"message", "status", "conn_id"},
    "exceptions:TokenEndpointError": {"message", "status", "error", "description", "uri", "retry_after"},
    "exceptions:InvalidClientError": {"message", "status", "error", "description"},
    "exceptions:ResourceError": {"message", "status", "challenge", "retryable", "retry_after"},
    "exceptions:InsufficientScopeError": {"message", "scope", "status"},
    "get_provider_info:get_provider_info": set(),
    "testing.connections:Connections.__call__": {"conn_id", "host", "login", "password", "extra"},
    "testing.server:OAuth2Server.expire": {"after"},
    "testing.server:OAuth2Server.require_nonce": {"nonce"},
    "testing.endpoints:TokenEndpoint.grant": {"expires_in", "scope", "members"},
    "testing.endpoints:TokenEndpoint.refuse": {"error", "status", "description", "times"},
    "testing.endpoints:ApiEndpoint.route": {"path", "body", "method", "status", "headers"},
    "testing.endpoints:ApiEndpoint.refuse": {"error", "status", "times"},
    "testing.endpoints:Endpoint.respond": {"body", "status", "headers", "times"},
    "testing.endpoints:Endpoint.throttle": {"retry_after", "status", "times"},
    "testing.endpoints:Endpoint.drip": {"interval", "times"},
    "testing.endpoints:Endpoint.cut": {"after", "times"},
}
if hasattr(airflow.sdk, "RetryPolicy"):  # Airflow 3.3
    PUBLIC["retry_policy:OAuth2RetryPolicy"] = set()


def public(path: str) -> Any:
    module, _, name = path.partition(":")
    object_: Any = import_module(f"airflow_oauth_provider.{module}")
    for part in name.split("."):
        object_ = (
            inspect.getattr_static(object_, part) if inspect.isclass(object_) else getattr(object_, part)
        )
    return object_


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def named(function: Any) -> set[str]:
    """Return the names of all parameters, those of the call that triggers share included."""
    spelled = parameters(function)
    shared = spelled.get("call")
    return set(spelled) | (get_type_hints(CallParameters).keys() if shared else set())


@pytest.mark.parametrize("path", PUBLIC)
def test_what_is_promised_is_there(path: str) -> None:
    promised = public(path)
    if isinstance(promised, property):
        return
    assert named(promised) >= PUBLIC[path]


@pytest.mark.fault("F48")
class TestParametersAreSpelledOut:
    """Nothing of a call hides in ``**kwargs``; what is left there are Airflow's own, typed."""

    @pytest.mark.parametrize("path", [path for path in PUBLIC if re.search(r"(Operator|Sensor)$", path)])
    def test_of_tasks(self, path: str) -> None:
        kwargs = parameters(public(path))["kwargs"]
        annotation = "Unpack[SensorParameters]" if path.endswith("Sensor") else "Unpack[TaskParameters]"
        assert kwargs.annotation == annotation

    @pytest.mark.parametrize("path", [path for path in PUBLIC if path.endswith("Trigger")])
    def test_of_triggers(self, path: str) -> None:
        spelled = parameters(public(path))
        assert spelled.pop("call").annotation == "Unpack[CallParameters]"
        assert inspect.Parameter.VAR_KEYWORD not in {parameter.kind for parameter in spelled.values()}

    def test_of_the_call_that_triggers_share(self) -> None:
        assert get_type_hints(CallParameters).keys() == parameters(Call).keys() - {"oauth2_conn_id"}

    @pytest.mark.parametrize("path", [path for path in PUBLIC if re.search(r"(Notifier|Hook)$", path)])
    def test_of_all_others(self, path: str) -> None:
        kinds = {parameter.kind for parameter in parameters(public(path)).values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds

    @pytest.mark.parametrize("path", [path for path in PUBLIC if re.search(r"(or|er|Hook)$", path)])
    def test_each_has_a_type(self, path: str) -> None:
        untyped = [
            name
            for name, parameter in parameters(public(path)).items()
            if parameter.annotation is inspect.Parameter.empty and name != "self"
        ]
        assert untyped == []

    @pytest.mark.parametrize(
        "stock, path, left_out",
        [
            pytest.param(HttpOperator, "operators.oauth2:OAuth2HttpOperator", set(), id="operator"),
            pytest.param(HttpSensor, "sensors.oauth2:OAuth2HttpSensor", set(), id="sensor"),
            pytest.param(HttpHook, "hooks.oauth2:OAuth2Hook", set(), id="hook"),
        ],
    )
    def test_those_of_airflows_http_provider(self, stock: Any, path: str, left_out: set[str]) -> None:
        own = parameters(stock).keys() - {"self", "kwargs"}
        assert own - parameters(public(path)).keys() == left_out

    @pytest.mark.parametrize(
        "base, typed",
        [(BaseOperator, TaskParameters), (BaseSensorOperator, SensorParameters)],
        ids=["BaseOperator", "BaseSensorOperator"],
    )
    def test_those_of_airflows_base_classes(self, base: Any, typed: type[TypedDict]) -> None:  # type: ignore[valid-type]
        spelled = {"poke_interval", "timeout", "max_wait"}
        own = parameters(base).keys() - {"self", "kwargs"} - spelled
        assert own <= get_type_hints(typed).keys()


class TestPathsOfTriggers:
    """What Airflow's database holds stays good, wherever a class stands in this package."""

    @pytest.mark.parametrize("name", triggers.__all__)
    def test_they_are_public(self, name: str) -> None:
        kind = getattr(triggers, name)
        trigger = kind(1.0) if name == "WaitTrigger" else kind("my_api", method="GET")
        assert trigger.serialize()[0] == f"airflow_oauth_provider.triggers.oauth2.{name}"

    def test_a_class_of_somebody_else_has_its_own(self) -> None:
        class Own(triggers.OAuth2HttpTrigger):
            """A subclass."""

        assert Own("my_api", method="GET").serialize()[0].startswith(f"{__name__}.")


def mypy(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    return done.stdout + done.stderr


@pytest.mark.fault("F48")
@pytest.mark.skipif(not hasattr(airflow.sdk, "RetryPolicy"), reason="types are checked on the newest Airflow")
def test_the_type_checker_reports_each_line_that_is_wrong_and_no_other(tmp_path: Path) -> None:
    """What stands in ``usage.py`` without its comments: each of them was needed."""
    given = Path(usage.__file__).read_text()
    marked = re.compile(r"  # type: ignore\[([a-z-]+)\].*")
    wrong = {
        number: match[1]
        for number, line in enumerate(given.splitlines(), 1)
        if (match := marked.search(line))
    }
    bare = tmp_path / "usage_without_comments.py"
    bare.write_text(marked.sub("", given))
    output = mypy("--cache-dir", str(tmp_path / "cache"), str(bare))
    reported = {
        int(number): code
        for number, code in re.findall(rf"{bare.name}:(\d+): error: .*\[([a-z-]+)\]", output)
    }
    assert reported == wrong, output
    assert len(wrong) > 25
