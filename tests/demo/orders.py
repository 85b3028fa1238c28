"""An authorization server and the API of a shop, on one loopback port, built on Authlib and Flask.

Not ours to bend: client authentication, grants, scopes and bearer tokens are Authlib's. The server
counts what it is asked, and that count is what demo and tests compare with.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import Any, Self

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc6750 import BearerTokenValidator
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from tests.support.servers.authlib_tokens import AuthlibToken, introspection, revocation

LIFETIME = 600
CLIENT_ID = "nightly-import"
CLIENT_SECRET = "a demo secret, known to nobody else"
SCOPES = frozenset({"orders.read", "orders.write"})
ENDPOINTS = frozenset({"token", "introspection", "revocation"})
PAGE = 3
RETRY_AFTER = 15
ORDERS = [{"id": number, "amount": number * 10} for number in range(1, 8)]


class _Client(ClientMixin):  # type: ignore[misc]
    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(word for word in (scope or "").split() if word in SCOPES)

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic" and endpoint in ENDPOINTS

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class OrdersServer:
    """Run both in a thread; ``seen`` holds what was asked, and when (seconds since the epoch)."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, str]] = []
        self.posted: list[Any] = []
        self.exports: dict[int, int] = {}
        self.reluctant: Counter[int] = Counter()
        self.prices = 1
        self.slowness = 0.0
        self.busy = 0
        self._tokens: dict[str, AuthlibToken] = {}
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def connection(self, **changes: Any) -> dict[str, Any]:
        """Return a connection to it, as Airflow takes it from the environment."""
        standard: dict[str, Any] = {key: changes.pop(key) for key in ("login", "password") if key in changes}
        return {
            "conn_type": "oauth2_client_credentials",
            "host": f"{self.url}/oauth2/token",
            "login": CLIENT_ID,
            "password": CLIENT_SECRET,
            **standard,
            "extra": {"scope": "orders.read orders.write", "base_url": f"{self.url}/shop/v1", **changes},
        }

    def counts(self, since: float = 0.0, until: float = float("inf")) -> Counter[str]:
        """Count ``token requests`` and ``API calls``."""
        return Counter(kind for at, kind in self.seen if since <= at < until)

    def revoke_all(self) -> None:
        """Withdraw every token, as an administrator may."""
        for token in self._tokens.values():
            token.revoked = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _count(self, kind: str) -> None:
        self.seen.append((time.time(), kind))

    def _save(self, token: dict[str, Any], _: Any) -> None:
        self._tokens[token["access_token"]] = AuthlibToken(CLIENT_ID, token.get("scope", ""), LIFETIME)

    def _app(self) -> Flask:
        app = Flask("orders")
        app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"client_credentials": LIFETIME}
        app.config["OAUTH2_SCOPES_SUPPORTED"] = sorted(SCOPES)
        issuer = AuthorizationServer(
            app, lambda client_id: _Client() if client_id == CLIENT_ID else None, self._save
        )
        issuer.register_grant(grants.ClientCredentialsGrant)
        tokens = self._tokens

        class Validator(BearerTokenValidator):  # type: ignore[misc]
            def authenticate_token(self, token_string: str) -> AuthlibToken | None:
                return tokens.get(token_string)

        issuer.register_endpoint(introspection(tokens))
        issuer.register_endpoint(revocation(tokens))
        protect = ResourceProtector()
        protect.register_token_validator(Validator())
        self._token_routes(app, issuer)
        self._routes(app, protect)
        return app

    def _busy(self) -> Any:
        """Say that it is busy, as often as it was told to."""
        if not self.busy:
            return None
        self.busy -= 1
        self._count("busy")
        return jsonify(error="busy"), 503, {"Retry-After": str(RETRY_AFTER)}

    def _page(self) -> Response:
        self._count("API calls")
        first = int(request.args.get("from", 0))
        more = first + PAGE < len(ORDERS)
        following = f"{self.url}/shop/v1/orders?from={first + PAGE}" if more else None
        return jsonify(orders=ORDERS[first : first + PAGE], next=following)

    def _token_routes(self, app: Flask, issuer: Any) -> None:
        @app.post("/oauth2/token")
        def token() -> Any:
            self._count("token requests")
            return issuer.create_token_response()

        @app.post("/oauth2/introspect")
        def introspect() -> Any:
            return issuer.create_endpoint_response("introspection")

        @app.post("/oauth2/revoke")
        def revoke() -> Any:
            return issuer.create_endpoint_response("revocation")

    def _routes(self, app: Flask, protect: Any) -> None:
        @app.get("/shop/v1/orders")
        @protect("orders.read")
        def orders() -> Any:
            return self._busy() or self._page()

        @app.post("/shop/v1/orders")
        @protect("orders.write")
        def create() -> Any:
            self._count("API calls")
            self.posted.append(request.get_json())
            return jsonify(id=len(ORDERS) + len(self.posted)), 201

        @app.get("/shop/v1/exports/<int:number>")
        @protect("orders.read")
        def export(number: int) -> Response:
            self._count("API calls")
            left = self.exports.get(number, 2)
            self.exports[number] = left - 1
            return jsonify(id=number, state="running" if left > 0 else "done")

        @app.get("/shop/v1/prices")
        @protect("orders.read")
        def prices() -> Response:
            self._count("API calls")
            tag = f'"{self.prices}"'
            if request.headers.get("If-None-Match") == tag:
                return Response(status=304)
            response = jsonify(version=self.prices)
            response.headers["ETag"] = tag
            return response

        @app.get("/shop/v1/slow/<int:number>")
        @protect("orders.read")
        def slow(number: int) -> Response:
            """Take some seconds."""
            self._count("API calls")
            time.sleep(self.slowness)
            return jsonify(number=number)

        @app.post("/shop/v1/reluctant/<int:number>")
        @protect("orders.write")
        def reluctant(number: int) -> Any:
            """Refuse the first order, and take the second."""
            self._count("API calls")
            self.reluctant[number] += 1
            return jsonify(number=number), 503 if self.reluctant[number] == 1 else 201

        @app.get("/shop/v1/health")
        @protect()
        def health() -> Response:
            self._count("API calls")
            return jsonify(status="ok")
