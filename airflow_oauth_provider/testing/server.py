"""An authorization server and an API in one, on loopback, for one test.

It checks neither client authentication nor signatures: it is there to show what a DAG does, not what a server
should. Tokens end by the clock of the test's own process.
"""

from __future__ import annotations

import base64
import json
import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from airflow_oauth_provider.testing.endpoints import ApiEndpoint, Request, Response, TokenEndpoint, challenge
from airflow_oauth_provider.testing.listener import LOOPBACK, Listener

TOKEN_PATH, API_PATH = "/token", "/api"


@dataclass
class _Token:
    scheme: str
    ends_at: float
    dead: bool = False


class OAuth2Server:
    """The server of a test; a context manager.

    ``token_endpoint`` and ``api`` are scripted one by one, and keep the ``requests`` that came in.
    """

    def __init__(self) -> None:
        self.token_endpoint = TokenEndpoint(self._grant)
        self.api = ApiEndpoint(self._call)
        self._tokens: dict[str, _Token] = {}
        self._calls_left: int | None = None
        self._nonce: str | None = None
        self._lock = threading.Lock()
        self._listener = Listener(self._handle)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://{LOOPBACK}:{self._listener.port}"

    @property
    def token_url(self) -> str:
        """The address of the token endpoint."""
        return self.url + TOKEN_PATH

    @property
    def base_url(self) -> str:
        """The base URL of the API."""
        return self.url + API_PATH

    def expire(self, *, after: int = 0) -> None:
        """Let the API refuse all tokens that have been granted until then.

        :param after: further calls that the API still takes.
        """
        with self._lock:
            self._calls_left = after

    def require_nonce(self, nonce: str | None) -> None:
        """Refuse proofs of possession (DPoP) without this nonce, and name it, at both endpoints.

        Called again, the nonce changes.

        :param nonce: ``None`` to want none any more.
        """
        self._nonce = nonce

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.stop()

    def _handle(self, request: Request) -> Response:
        if request.path == TOKEN_PATH:
            return self.token_endpoint.handle(request)
        return self.api.handle(request)

    def _grant(self, request: Request) -> Response:
        proof = request.headers.get("dpop")
        if self._wants_nonce(proof):
            return Response.of({"error": "use_dpop_nonce"}, 400, self._nonce_header())
        scheme = "Bearer" if proof is None else "DPoP"
        with self._lock:
            usual = {"access_token": f"token-{len(self._tokens) + 1}", "token_type": scheme}
            response = usual | self.token_endpoint.granted
            self._tokens[str(response["access_token"])] = _Token(scheme, time.time() + _lifetime(response))
        return Response.of(response, headers={"Cache-Control": "no-store"})

    def _call(self, request: Request) -> Response:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme == "DPoP" and self._wants_nonce(request.headers.get("dpop")):
            refusal = challenge(scheme, "use_dpop_nonce") | self._nonce_header()
            return Response.of({"error": "use_dpop_nonce"}, 401, refusal)
        if not self._accepts(scheme, value):
            return Response.of(
                {"error": "invalid_token"}, 401, challenge(scheme or "Bearer", "invalid_token")
            )
        path = request.path.removeprefix(API_PATH).strip("/")
        respond = self.api.responder(request.method, path)
        missing = {"error": f"the test has no route for {request.method} {path}"}
        return respond(request) if respond else Response.of(missing, 404)

    def _accepts(self, scheme: str, value: str) -> bool:
        """Whether the API takes a token; counts the calls until tokens expire."""
        with self._lock:
            if self._calls_left == 0:
                self._calls_left = None
                for token in self._tokens.values():
                    token.dead = True
            elif self._calls_left is not None:
                self._calls_left -= 1
            granted = self._tokens.get(value)
        return (
            granted is not None
            and not granted.dead
            and granted.scheme == scheme
            and time.time() < granted.ends_at
        )

    def _wants_nonce(self, proof: str | None) -> bool:
        return self._nonce is not None and (proof is None or _claims(proof).get("nonce") != self._nonce)

    def _nonce_header(self) -> dict[str, str]:
        return {} if self._nonce is None else {"DPoP-Nonce": self._nonce}


def _lifetime(response: dict[str, Any]) -> float:
    """Return the seconds that a token lives, also where a test has them told in an odd way."""
    with suppress(TypeError, ValueError):
        return float(response["expires_in"]) if "expires_in" in response else math.inf
    return math.inf


def _claims(proof: str) -> dict[str, Any]:
    """Return what a proof says, if it is one; its signature is not checked."""
    with suppress(ValueError):  # of Base64, UTF-8 and JSON
        payload = proof.partition(".")[2].partition(".")[0]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims if isinstance(claims, dict) else {}
    return {}
