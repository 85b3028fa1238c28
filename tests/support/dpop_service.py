"""An authorization server and an API that hold their clients to RFC 9449.

Written from the standard with PyJWT, and knowing nothing of the package under test: each proof is checked as
§4.3 says, each token is bound to the key of its request, and whatever is wrong is answered as §5, §7.1, §8
and §9 say. Both servers keep each ``jti``.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time
from typing import Any

import jwt

from airflow_oauth_provider.tokens.manager import shared
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse, ScriptedServer
from tests.support.service import Api, Service, echo

ALGORITHMS = ["ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"]
_PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


class RefusedProofError(Exception):
    """What is wrong with a proof; its text is the error code."""


@dataclass
class Nonces:
    """The nonces of one server in one role.

    :param required: refuse proofs without one.
    :param changes: give a new one with every response, and accept only the last.
    """

    name: str
    required: bool = False
    changes: bool = False
    current: str = ""
    given: int = 0

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self.change()

    def change(self) -> None:
        self.current = f"{self.name}-{next(self._numbers)}"

    def header(self) -> list[tuple[str, str]]:
        self.given += 1
        return [("DPoP-Nonce", self.current)]


@dataclass
class DpopService(Service):
    """An authorization server and an API that want proofs of possession.

    :param ahead: seconds by which its clock is ahead.
    :param leeway: seconds by which the time of a proof may be off.
    :param token_type: of its tokens, whatever was asked for.
    :param hand_out_nonces: with every response, without asking for them.
    :param members: of its token responses, beside the usual ones.
    :param bind: ask for a proof in token requests.
    :param on_issue: is called with each token that is granted.
    """

    ahead: float = 0.0
    leeway: float = 60.0
    token_type: str = "DPoP"
    issuing: Nonces = field(default_factory=lambda: Nonces("as"))
    serving: Nonces = field(default_factory=lambda: Nonces("api"))
    hand_out_nonces: bool = False
    bind: bool = True
    token_name: str = "bound-tok"
    members: dict[str, Any] = field(default_factory=dict)
    on_issue: Callable[[], object] = lambda: None
    bound: dict[str, str] = field(default_factory=dict)
    proofs: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._issued = itertools.count(1)
        super().__post_init__()
        self.server.script(self._checked)

    def connection(self, **changes: Any) -> Any:
        return super().connection(**{"dpop": True, **changes})

    def environment(self, **changes: Any) -> str:
        return super().environment(**changes)

    def refused(self) -> list[str]:
        """Return the codes by which proofs were refused so far."""
        return list(self.refusals)

    def _checked(self, request: RecordedRequest) -> ScriptedResponse:
        with self._lock:  # a nonce that changes does so for one request at a time
            at_token = request.target.startswith("/token")
            nonces = self.issuing if at_token else self.serving
            try:
                response = self._issue(request) if at_token else self._serve_call(request)
            except RefusedProofError as refusal:
                self.refusals.append(str(refusal))
                response = _refusal(str(refusal), at_token=at_token)
            if nonces.changes:
                nonces.change()
            extra = [("Date", formatdate(time() + self.ahead, usegmt=True))]
            if nonces.required or nonces.changes or self.hand_out_nonces:
                extra += nonces.header()
            if hasattr(response, "headers"):
                return type(response)(**{**vars(response), "headers": [*response.headers, *extra]})
            return response

    def _issue(self, request: RecordedRequest) -> ScriptedResponse:
        if self.token is not None:
            return self.token(request)
        thumbprint = self._proof(request, self.issuing, token=None) if self.bind else ""
        value = f"{self.token_name}-{next(self._issued)}"
        self.bound[value] = thumbprint
        self.on_issue()
        granted = {"access_token": value, "token_type": self.token_type, "expires_in": 3600}
        return Json({**granted, **self.members})

    def _serve_call(self, request: RecordedRequest) -> ScriptedResponse:
        scheme, _, token = (request.header("Authorization") or "").partition(" ")
        if scheme != "DPoP":
            raise RefusedProofError("invalid_request")
        thumbprint = self._proof(request, self.serving, token=token)
        if token in self.dead or self.bound.get(token) != thumbprint:
            raise RefusedProofError("invalid_token")
        return self.api(request)

    def _proof(self, request: RecordedRequest, nonces: Nonces, *, token: str | None) -> str:
        """Check the proof of a request (RFC 9449 §4.3), and return the thumbprint of its key."""
        values = [value for name, value in request.headers if name.lower() == "dpop"]
        if len(values) != 1:
            raise RefusedProofError("invalid_dpop_proof")
        header = jwt.get_unverified_header(values[0])
        jwk = header.get("jwk", {})
        if header.get("typ") != "dpop+jwt" or header["alg"] not in ALGORITHMS or set(jwk) & _PRIVATE_MEMBERS:
            raise RefusedProofError("invalid_dpop_proof")
        try:
            claims = jwt.decode(
                values[0],
                jwt.PyJWK(jwk, algorithm=header["alg"]).key,
                algorithms=[header["alg"]],
                options={"verify_iat": False, "require": ["jti", "htm", "htu", "iat"]},
            )
        except jwt.PyJWTError as error:
            raise RefusedProofError("invalid_dpop_proof") from error
        self.proofs.append({**claims, "header": header, "jwt": values[0]})
        address = f"{self.server.url}{request.target.partition('?')[0]}"
        ath = None if token is None else _b64(hashlib.sha256(token.encode()).digest())
        expected = (request.method, address, ath)
        if (claims["htm"], claims["htu"], claims.get("ath")) != expected or claims["jti"] in self._seen:
            raise RefusedProofError("invalid_dpop_proof")
        self._seen.add(claims["jti"])
        if (nonces.required or nonces.changes) and claims.get("nonce") != nonces.current:
            raise RefusedProofError("use_dpop_nonce")
        if claims.get("nonce") is None and abs(claims["iat"] - (time() + self.ahead)) > self.leeway:
            raise RefusedProofError("invalid_dpop_proof")
        return thumbprint_of(jwk)


def thumbprint_of(jwk: dict[str, str]) -> str:
    """Return a key's thumbprint (RFC 7638)."""
    names = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
    members = {name: jwk[name] for name in names[jwk["kty"]]}
    return _b64(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _refusal(code: str, *, at_token: bool) -> ScriptedResponse:
    if at_token:
        return Json({"error": code}, 400)
    challenge = f'DPoP error="{code}", algs="{" ".join(ALGORITHMS)}"'
    return Json({"error": code}, 401, [("WWW-Authenticate", challenge)])


@contextmanager
def running_dpop_service(**options: Any) -> Iterator[DpopService]:
    """Start one, with nothing remembered from before."""
    shared.clear()
    with ScriptedServer() as server:
        yield DpopService(server, **options)
    shared.clear()


__all__ = ["Api", "DpopService", "Nonces", "echo", "running_dpop_service", "thumbprint_of"]
