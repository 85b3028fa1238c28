from __future__ import annotations

import asyncio
import time

import pytest

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.call_flow import CallFlow
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from tests.support.service import Service


@pytest.fixture(params=["threads", "coroutines"])
def advance(request: pytest.FixtureRequest) -> object:
    """Ask the flow for the next call, in both ways there are."""
    if request.param == "threads":
        return CallFlow.next_call
    return lambda flow, head: asyncio.run(flow.anext_call(head))


def flow_for(service: Service, *, replayable: bool = True) -> CallFlow:
    auth = BearerAuth(OAuth2Client("my_api", service.connection()))
    url = f"{service.base_url}/x"
    return CallFlow(auth, SendCall("GET", url), auth.token_for(url, {}), replayable=replayable)


def test_a_good_response_is_the_result(service: Service, advance: object) -> None:
    flow = flow_for(service)
    assert advance(flow, ResponseHead(200)) is None  # type: ignore[operator]
    assert flow.token.value == "tok-1"


@pytest.mark.fault("F10")
def test_a_refused_token_is_renewed_once_and_a_refused_new_one_remembered(
    service: Service, advance: object
) -> None:
    began = time.monotonic()
    flow = flow_for(service)
    again = advance(flow, ResponseHead(401))  # type: ignore[operator]
    assert again == flow.call == SendCall("GET", f"{service.base_url}/x")
    assert flow.token.value == "tok-2"
    assert advance(flow, ResponseHead(401)) is None  # type: ignore[operator]
    assert flow.credential(began).new
    later = flow_for(service)
    assert advance(later, ResponseHead(401)) is None  # type: ignore[operator]
    assert later.credential(began).refusal_remembered
    assert len(service.token_requests) == 2


def test_a_body_that_cannot_be_sent_again_is_not(service: Service, advance: object) -> None:
    flow = flow_for(service, replayable=False)
    with pytest.raises(ResourceError) as caught:
        advance(flow, ResponseHead(401))  # type: ignore[operator]
    assert caught.value.status == 401
    assert len(service.token_requests) == 2, "but the next call has a new token"


def test_a_redirect_is_the_next_call(service: Service, advance: object) -> None:
    flow = flow_for(service)
    call = advance(flow, ResponseHead(302, "/api/y"))  # type: ignore[operator]
    assert call == SendCall("GET", f"{service.base_url}/y")
    assert flow.call is call
