"""Random secrets, spelled at random once more: none of them leaves by any way out of this package."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from airflow_oauth_provider.authorizations import Target, authorize, check_all, describe, display_settings
from airflow_oauth_provider.client import masking, report
from airflow_oauth_provider.deployment.policy import forget_policy
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger
from tests.support.confidential import assert_nothing_confidential
from tests.support.echoing import Echo
from tests.support.leaks import stored_below
from tests.support.service import Service, running_service
from tests.support.sides import Coroutines, Threads
from tests.support.spellings import SPELLINGS
from tests.triggers.running import event_of, to_the_end

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F04", "F20", "F27", "F29", "F61")]

AWKWARD = "\"\\&<>'/%+=;# äöüß€日"
VISIBLE = st.characters(min_codepoint=33, max_codepoint=126)
ASCII = st.one_of(st.sampled_from("&<>'/%+=;#"), VISIBLE)


def made_of(characters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts that are no words of the package: Hypothesis takes some of ``text()`` from its modules."""
    return st.lists(characters, min_size=16, max_size=40).map("".join)


secrets = made_of(st.one_of(st.sampled_from(AWKWARD), VISIBLE))
headers = made_of(ASCII)
tokens = made_of(ASCII).map(lambda text: text.replace('"', "'").replace("\\", "/"))


class Collector(logging.Handler):
    """What all loggers say, with all that a record carries."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.getMessage()} {record.__dict__} {record.exc_text}")


@contextmanager
def everything_said() -> Iterator[list[str]]:
    collector, root = Collector(), logging.getLogger()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    try:
        yield collector.said
    finally:
        root.removeHandler(collector)
        root.setLevel(level)


def failed(call: Callable[[], Any], echo: Echo) -> str:
    with pytest.raises(OAuthError) as caught:
        call()
    assert_nothing_confidential(caught.value, echo.values)
    return f"{caught.value!r} {caught.value}"


def of_a_hook(service: Service, echo: Echo) -> Iterator[Any]:
    """Calls, tokens, questions about tokens, and refusals of them all, of threads and coroutines."""
    about, foreign = f"{service.server.url}/about", echo.more[0]
    for side in (Threads(), Coroutines()):
        hook = OAuth2Hook("my_api", "GET")
        side.run(hook, "ok")
        yield failed(lambda side=side, hook=hook: side.run(hook, "bad"), echo)  # type: ignore[misc]
        for name in ("introspect", "revoke"):
            for token in (foreign, None):
                yield side.call(hook, name, token, endpoint=about)
                side.token(hook)
            yield failed(
                lambda side=side, hook=hook, name=name: side.call(  # type: ignore[misc]
                    hook, name, foreign, endpoint=f"{about}/refused"
                ),
                echo,
            )
        yield side.token(hook)
        side.close()
    yield OAuth2Hook("my_api").test_connection()


def of_tasks(service: Service, echo: Echo) -> Iterator[Any]:
    for deferrable in (False, True):
        for response_filter in (None, lambda r: [r.json(), {r.text: (r.content, dict(r.headers), r.reason)}]):
            yield to_the_end(
                OAuth2HttpOperator(
                    task_id="call",
                    method="GET",
                    oauth2_conn_id="my_api",
                    endpoint="ok",
                    deferrable=deferrable,
                    response_filter=response_filter,
                )
            )
    for endpoint in ("ok", "bad"):
        yield event_of(OAuth2HttpTrigger("my_api", endpoint=endpoint, response_headers=["etag", "link"]))


def of_displays(service: Service, echo: Echo) -> Iterator[Any]:
    for conn_id in ("my_api", "refused"):
        connection = service.connection(conn_id=conn_id, **settings_of(echo, conn_id))
        for result in (*check_all([Target.of(connection)]), authorize(connection)):
            yield json.dumps(result.report())
            yield result.message
        yield json.dumps(describe(connection).report())
        yield display_settings(connection)
    yield failed(lambda: OAuth2Hook("refused").get_token(), echo)


def settings_of(echo: Echo, conn_id: str) -> dict[str, Any]:
    scope = "refused" if conn_id == "refused" else "read"
    # As an object: a line of name=value ends a value where it has blanks at its end.
    return echo.settings(scope=scope, secret_params={"pin": echo.pin}, secret_headers={"X-Gate": echo.gate})


@settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=5,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(
    secret=secrets,
    pin=secrets,
    gate=headers,
    token=tokens,
    foreign=tokens,
    name=st.sampled_from(sorted(SPELLINGS)),
)
@pytest.mark.parametrize("ways_out", [of_a_hook, of_tasks, of_displays])
def test_nothing_leaves(
    ways_out: Any, secret: str, pin: str, gate: str, token: str, foreign: str, name: str
) -> None:
    values = (secret, pin, gate, token, foreign)
    assume(all(value.strip() == value and len(set(value)) >= 10 for value in values))
    assume(len(set(values)) == len(values))
    # Base64 of an escaped text is a text that nobody echoes.
    encoded = name.startswith(("Base64", "hexa", "Latin", "percent, every"))
    echo = Echo(secret, pin, gate, token, (foreign,), spell=str if encoded else SPELLINGS[name])
    with ExitStack() as stack:
        service = stack.enter_context(running_service())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        given_ids = {
            f"AIRFLOW_CONN_{conn_id.upper()}": service.environment(**settings_of(echo, conn_id))
            for conn_id in ("my_api", "refused")
        }
        options = {
            "AIRFLOW__OAUTH2__TOKEN_STORE": "file",
            "AIRFLOW__OAUTH2__ALLOWED_API_HOSTS": "127.0.0.1",
            "AIRFLOW_HOME": str(home),
        }
        stack.enter_context(patch.dict(os.environ, {**given_ids, **options}))
        forget_policy()
        masking._counts.clear()
        report.reset()
        echo.serve(service)
        said = stack.enter_context(everything_said())
        put_out = list(ways_out(service, echo))
        put_out += said
        put_out += stored_below(home)
        assert service.token_requests
    forget_policy()
    echo.assert_silent(put_out)
