"""The endpoints of an authorization server that a client sends requests to, as errors speak of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

from airflow_oauth_provider.exceptions import TokenResponseError
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_object
from airflow_oauth_provider.protocol.urls import Origin, Url

_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,127}\Z")


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of one server, and what it is called in errors.

    :param name: of the endpoint.
    :param request: what it may refuse.
    :param result: what its response holds.
    :param result_rule: where that is laid down; *error_rule* likewise for refusals.
    :param address: what gives its address; *setting* names the connection's field or the argument.
    :param advice: what to do about an error code or a status, where that is peculiar to this endpoint.
    :param origin: where it is; ``None`` where the settings say so.
    :param doubt: what is odd about its address, as it is configured; ``None`` for nothing.
    """

    name: str
    request: str
    result: str
    result_rule: str
    error_rule: str
    address: str
    setting: str
    advice: Mapping[str | int, str] = field(default_factory=lambda: MappingProxyType({}))
    origin: Origin | None = None
    doubt: str | None = None

    def at(self, url: Url) -> Self:
        """Return the endpoint at an address."""
        return replace(self, origin=url.origin)

    def origin_of(self, settings: ClientSettings) -> Origin:
        """Return where it is for a client."""
        return self.origin or settings.server.origin

    @property
    def member(self) -> str:
        """Its name in a server's metadata (RFC 8414 §2)."""
        return self.name.replace(" ", "_")

    @property
    def check(self) -> str:
        """What to do where something else seems to respond."""
        return self._doubted(f"check that {self.address} is the {self.name}")

    @property
    def check_address(self) -> str:
        """What to do where nothing of the kind is there."""
        return self._doubted(f"check {self.address}")

    def malformed(self, reason: str, status: int | None = 200) -> TokenResponseError:
        """Return the error of a response that is none."""
        return TokenResponseError(
            f"{reason}; the {self.name} did not answer with {self.result} ({self.result_rule})", status=status
        ).with_advice(self.check)

    def read_object(self, response: HttpResponse) -> dict[str, Any]:
        """Read the JSON object of a response.

        :raises TokenResponseError: when there is none.
        """
        self.require_uncompressed(response)
        if not response.body.strip():
            raise self.malformed("the body is empty")
        try:
            return parse_object(response.body)
        except JsonError as error:
            reason = f"the body {error}{_kind_of(response)}"
        # Outside of the except block: the error of the parser holds the text, and with it the token.
        raise self.malformed(reason)

    def require_uncompressed(self, response: HttpResponse) -> None:
        """Refuse a compressed response: a small one could become any size.

        :raises TokenResponseError: for one.
        """
        if response.compressed:
            raise self.malformed("the response is compressed, although that was not asked for")

    def unexpected_status(self, response: HttpResponse) -> TokenResponseError:
        """Return the error of a response that is neither 200 nor a refusal."""
        if 300 <= response.status < 400:
            text = (
                f"the {self.name} redirects (HTTP status {response.status}); this is not followed, since "
                "it could carry the secret elsewhere"
            )
            advice = self._doubted(f"set {self.address} to the final address")
        else:
            text = (
                f"the {self.name} answered HTTP status {response.status} instead of 200 ({self.result_rule})"
            )
            advice = self.advice.get(response.status) or self.check
        return TokenResponseError(text, status=response.status).with_advice(advice)

    def _doubted(self, advice: str) -> str:
        return f"{advice}; {self.doubt}" if self.doubt else advice


TOKEN = Endpoint(
    name="token endpoint",
    request="the token request",
    result="a token",
    result_rule="RFC 6749 §5.1",
    error_rule="RFC 6749 §5.2",
    address="the access token URL",
    setting="host",
    advice=MappingProxyType({201: "if the server grants tokens with it, list created in the field tolerate"}),
)


def token_endpoint(settings: ClientSettings) -> Endpoint:
    """Return the endpoint that grants a client's tokens."""
    doubt = settings.server.doubt
    return TOKEN if doubt is None else replace(TOKEN, doubt=doubt)


def is_blank(value: object) -> bool:
    """Whether a member says nothing: servers send null or an empty text for what they do not say."""
    return value is None or (isinstance(value, str) and not value.strip(" "))


def media_type(response: HttpResponse) -> str:
    """Return the media type of a response in lower case, without parameters."""
    return (response.header("content-type") or "").split(";")[0].strip().lower()


def _kind_of(response: HttpResponse) -> str:
    kind = media_type(response)
    return f" (Content-Type {kind})" if _MEDIA_TYPE.match(kind) else ""
