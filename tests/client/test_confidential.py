"""Errors of an acquisition hold nothing confidential: no text, no chain, no attribute, no local of a frame.

With a real server that repeats what it was sent, in each way in which an acquisition can fail.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    OAuthError,
    TokenResponseError,
)
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.client.algorithms import KeyKind
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.manager import shared
from tests.support.confidential import assert_nothing_confidential
from tests.support.echoing import refusals_repeating
from tests.support.keys import KEYS, pem
from tests.support.servers.certificates import authority, issue, server_context
from tests.support.servers.scripted import (
    CloseNow,
    Json,
    RecordedRequest,
    Redirect,
    Reset,
    ScriptedServer,
    Text,
)
from tests.support.service import Service
from tests.support.spellings import SPELLINGS, disclosed

SECRET = 'a"secret&with <every> \\kind% of täil'
PIN = "a-secret/parameter"
GATE = "the-key-of+the=gate"
VALUES = [SECRET, PIN, GATE]
Get = Callable[[OAuth2Client], AccessToken]


@pytest.fixture(params=["thread", "loop"])
def get(request: pytest.FixtureRequest) -> Iterator[Get]:
    """Get a token in a thread, or in an event loop."""
    if request.param == "thread":
        yield lambda client: client.get_token()
    else:
        with asyncio.Runner() as runner:
            yield lambda client: runner.run(client.aget_token())


def refused(get: Get, connection: Any, values: list[str] = VALUES) -> OAuthError:
    """Return the error of an acquisition, which gives nothing away."""
    shared.clear()
    with pytest.raises(OAuthError) as caught:
        get(OAuth2Client("my_api", connection))
    assert_nothing_confidential(caught.value, values)
    return caught.value


def connection(service: Service, **changes: Any) -> Any:
    given = {
        "password": SECRET,
        "secret_params": f"pin={PIN}",
        "secret_headers": f"X-Gate={GATE}",
        "max_retry_attempts": 0,
        "max_wait": 5,
    }
    return service.connection(**{**given, **changes})


def everything(request: RecordedRequest) -> str:
    """What came in, as it came, and the secrets in all spellings."""
    return "\n".join(
        [request.target, str(request.headers), request.body.decode()]
        + [spell(value) for spell in SPELLINGS.values() for value in VALUES]
    )


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
@pytest.mark.parametrize(
    "response",
    [
        *refusals_repeating(everything, PIN),
        pytest.param(lambda r: Text(200, everything(r)), id="200-no-JSON"),
        pytest.param(
            lambda r: Text(200, json.dumps({"token_type": "Bearer", "echo": everything(r)})[:-1]),
            id="cut-JSON",
        ),
        pytest.param(
            lambda r: Json({"token_type": "Bearer", "access_token": [everything(r)]}), id="no-token"
        ),
        pytest.param(lambda r: Json({"token_type": everything(r), "access_token": "t"}), id="token-type"),
        pytest.param(
            lambda _: Json({"token_type": "Bearer", "access_token": SECRET}), id="the-secret-as-token"
        ),
        pytest.param(
            lambda _: Json({"token_type": "Bearer", "access_token": "t", "expires_in": PIN}), id="expires-in"
        ),
        pytest.param(
            lambda _: Json({"token_type": "Bearer", "access_token": "t", "scope": [PIN, 7]}), id="scope"
        ),
        pytest.param(lambda r: Text(200, everything(r), headers=[("Content-Encoding", PIN)]), id="encoding"),
        pytest.param(lambda r: Text(400, everything(r), content_type=GATE), id="content-type"),
        pytest.param(lambda _: Redirect(f"https://elsewhere.example/{PIN}?{GATE}"), id="redirect"),
        pytest.param(lambda r: Text(500, everything(r)), id="500"),
        pytest.param(lambda _: Reset(b"HTTP/1.1 200 OK\r\n" + PIN.encode()), id="reset"),
        pytest.param(
            lambda _: Reset(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + PIN.encode()[:3]), id="cut"
        ),
        pytest.param(lambda _: CloseNow(), id="closed"),
    ],
)
@pytest.mark.fault("F27", "F20")
def test_whatever_the_server_says(service: Service, get: Get, method: str, response: Any) -> None:
    service.token = response
    refused(get, connection(service, auth_method=method))
    assert service.token_requests


@pytest.mark.fault("F27")
def test_a_certificate_that_does_not_verify(get: Get, tmp_path: Path) -> None:
    with ScriptedServer(context=server_context(issue(authority()), tmp_path)) as server:
        refused(get, connection(Service(server)))


@pytest.mark.fault("F27")
def test_nobody_there(service: Service, get: Get, unused_port: int) -> None:
    refused(get, connection(service, host=f"http://127.0.0.1:{unused_port}/token"))


@pytest.mark.fault("F27")
def test_a_proxy_that_is_not_there(
    service: Service, get: Get, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_PROXIES", "127.0.0.1")
    given = connection(
        service,
        host="https://idp.example/token",
        proxy_url=f"http://me:the-password-of-a-proxy@127.0.0.1:{unused_port}",
    )
    refused(get, given, [*VALUES, "the-password-of-a-proxy"])


def disclose_all(settings: ClientSettings) -> AccessToken:
    secret = settings.client_secret.reveal() if settings.client_secret else ""
    raise ValueError(f"no token for {secret}", {"secret": secret})


def refuse(settings: ClientSettings) -> AccessToken:
    secret = settings.client_secret.reveal() if settings.client_secret else ""
    try:
        disclose_all(settings)
    except ValueError as error:
        raise TokenResponseError(f"no token for {secret}") from error
    raise AssertionError


def wrong(settings: ClientSettings) -> Any:
    return {"access_token": settings.client_secret.reveal() if settings.client_secret else ""}


def no_header(settings: ClientSettings) -> AccessToken:
    return AccessToken(f"{SECRET}\n", "Bearer", 4_000_000_000.0, 0.0)


@pytest.mark.parametrize("provider", [disclose_all, refuse, wrong, no_header])
@pytest.mark.fault("F27")
def test_a_custom_provider_that_tells_all(
    service: Service, get: Get, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW__OAUTH2__CUSTOM_PROVIDERS", json.dumps({"own": f"{__name__}.{provider.__name__}"})
    )
    given = service.connection(auth_method="custom", custom_provider="own", password=SECRET)
    refused(get, given)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"secret_params": f"pin {PIN}"}, id="secret_params"),
        pytest.param({"secret_params": f"grant_type={PIN}"}, id="reserved-parameter"),
        pytest.param({"secret_headers": f"X-Gate={GATE}\x07"}, id="secret_headers"),
        pytest.param({"secret_headers": f"Authorization={GATE}"}, id="reserved-header"),
        pytest.param({"secret_headers": {"X-Gate": f" {GATE}\n{GATE}"}}, id="lines-in-a-header"),
        pytest.param({"secret_headers": {f"X-{GATE}": [GATE]}}, id="list-in-a-header"),
        pytest.param({"private_key": PIN}, id="leftover-key"),
        pytest.param({"auth_method": "private_key_jwt", "private_key": PIN, "password": None}, id="no-key"),
        pytest.param(
            {
                "auth_method": "private_key_jwt",
                "private_key": f'{{"kty": "RSA", "d": "{PIN}"}}',
                "password": None,
            },
            id="no-JWK",
        ),
        pytest.param(
            {
                "auth_method": "private_key_jwt",
                "private_key": pem(KEYS[KeyKind.P256]).replace("A", "B", 3) + PIN,
                "private_key_passphrase": GATE,
                "password": None,
            },
            id="damaged-PEM",
        ),
        pytest.param({"proxy_url": f"http://me:{GATE}@proxy.example:99999"}, id="proxy-port"),
        pytest.param({"proxy_url": f"ftp://me:{GATE}@proxy.example"}, id="proxy-scheme"),
        pytest.param({"jwt_claims": f'{{"iss": "{PIN}"}}', "scope": 7}, id="scope"),
        pytest.param({"max_wait": PIN}, id="a-secret-in-a-wrong-field"),
        pytest.param({"no_such_field": PIN, "auth_method": GATE}, id="a-secret-as-method"),
    ],
)
@pytest.mark.fault("F27", "F61")
def test_wrong_configurations(service: Service, get: Get, changes: dict[str, Any]) -> None:
    assert isinstance(refused(get, connection(service, **changes)), ConfigurationError)


@pytest.mark.fault("F27")
def test_an_extra_that_is_no_json(service: Service, get: Get) -> None:
    given = connection(service)
    given.extra = f'{{"secret_params": "pin={PIN}", '
    assert isinstance(refused(get, given), ConfigurationError)


REDIS = "the-password-of-redis"
STORE_KEY = "a2V5LW9mLXRoZS1zdG9yZQ=="


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"TOKEN_STORE": f"redis://:{REDIS}@redis.example:none"}, id="redis-port"),
        pytest.param({"TOKEN_STORE": f"rediz://:{REDIS}@redis.example"}, id="redis-scheme"),
        pytest.param({"STORE_KEY": STORE_KEY}, id="short-key"),
        pytest.param({"STORE_KEY": f"{STORE_KEY}!"}, id="no-Base64"),
        pytest.param({"CUSTOM_PROVIDERS": f"{{{PIN}"}, id="providers"),
        pytest.param({"CUSTOM_PROVIDERS": "[", "STORE_KEY": STORE_KEY}, id="another-option"),
    ],
)
@pytest.mark.fault("F27")
def test_options_of_the_deployment(
    service: Service, get: Get, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__OAUTH2__{name}", value)
    error = refused(get, connection(service), [*VALUES, REDIS, STORE_KEY])
    assert isinstance(error, ConfigurationError)


@pytest.mark.fault("F27")
def test_a_store_that_fails(
    service: Service,
    get: Get,
    unused_port: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is a warning, and the error is the server's."""
    url = f"redis://:{REDIS}@127.0.0.1:{unused_port}/0"
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", url)
    service.token = lambda request: Json(
        {"error": "invalid_client", "error_description": everything(request)}, 401
    )
    with caplog.at_level(logging.DEBUG):
        assert isinstance(refused(get, connection(service)), InvalidClientError)
    assert "not shared" in caplog.text
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert not disclosed(logged, [*VALUES, REDIS])


class TestTheChecker:
    """It would notice: a checker that finds nothing shows nothing."""

    def raised(self, raise_: Callable[[], None]) -> BaseException:
        with pytest.raises(Exception) as caught:
            raise_()
        return caught.value

    def test_a_context_behind_from_none(self) -> None:
        def hidden() -> None:
            try:
                raise ValueError(f"{SECRET}!")
            except ValueError:
                raise OAuthError("dull") from None

        self.noticed(hidden)

    def test_an_attribute_of_an_attribute(self) -> None:
        def request() -> None:
            error = OAuthError("dull")
            vars(error)["request"] = requests.Request("POST", "https://x", headers={"X": SECRET}).prepare()
            raise error

        self.noticed(request)

    def test_a_local_of_a_frame(self) -> None:
        def spelled() -> None:
            json.loads(json.dumps(SECRET)[:-1])

        self.noticed(spelled)

    def noticed(self, raise_: Callable[[], None]) -> None:
        with pytest.raises(AssertionError, match="gives away"):
            assert_nothing_confidential(self.raised(raise_), VALUES, ours=False)
        with pytest.raises(OAuthError) as caught:
            raise OAuthError("dull")
        assert_nothing_confidential(caught.value, VALUES)
