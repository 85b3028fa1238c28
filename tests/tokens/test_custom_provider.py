from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    OAuthError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.settings import ClientSettings, CustomProvider
from airflow_oauth_provider.protocol.token.response import Granted
from airflow_oauth_provider.tokens.custom_provider import ask_provider
from tests.support.builders import NOW, SECRET, settings
from tests.support.confidential import assert_nothing_confidential

pytestmark = pytest.mark.fault("F12")


def asked(provider: Any) -> Granted | OAuthError:
    custom = CustomProvider("own", "company.provide", provider)
    return ask_provider(settings(auth_method="custom", custom=custom))


def raising(error: BaseException) -> Any:
    def provide(_: ClientSettings) -> AccessToken:
        raise error

    return provide


class Hidden(str):
    """A text that is shown in another way than it is sent."""

    __slots__ = ()

    def __str__(self) -> str:
        return "hidden"

    def encode(self, *_: Any) -> bytes:
        raise TypeError


def test_a_token_is_what_it_says_whatever_its_class() -> None:
    given = AccessToken(Hidden("the-token"), "Bearer", NOW + 60, NOW)
    granted = asked(lambda _: given)
    assert isinstance(granted, Granted)
    assert type(granted.token.value) is str
    assert granted.token == dataclasses.replace(given, value="the-token")


def test_an_error_of_ours_is_that_error_redacted() -> None:
    error = asked(raising(TransportError(f"no vault for {SECRET}", retry_after=5.0)))
    assert isinstance(error, TransportError)
    assert (error.message, error.retry_after) == ("no vault for ***", 5.0)


class VaultError(TransportError):
    """Its constructor takes more than it hands on, so that it cannot be copied."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")


class SilentError(ConfigurationError):
    """It cannot be printed."""

    def __str__(self) -> str:
        raise SystemExit(SECRET)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (VaultError("/secret", SECRET), TransportError),
        (SilentError(SECRET), TokenResponseError),
        (KeyboardInterrupt(SECRET), TokenResponseError),
        (BaseExceptionGroup(SECRET, [SystemExit(SECRET)]), TokenResponseError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_of_any_other_only_its_class_is_told(error: BaseException, kind: type[OAuthError]) -> None:
    told = asked(raising(error))
    assert type(told) is kind
    assert told.message.startswith('the custom provider "own" ')
    assert type(error).__name__ in told.message
    assert told.retryable is isinstance(error, TransportError)
    assert_nothing_confidential(told, [SECRET])
