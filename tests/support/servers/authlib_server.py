"""An authorization server on Authlib and Flask: client authentication, grant and tokens are Authlib's."""

from __future__ import annotations

import logging
import secrets
import ssl
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from tests.support.servers.authlib_tokens import AuthlibToken, introspection, revocation
from tests.support.servers.certificates import authority, issue

LIFETIME = 240
SCOPES = ("read", "write")
METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt")
#: A client for which a platform vouches, with one assertion again and again.
WORKLOAD = "workload"
CERTIFICATE_AUTHORITY = authority("Authlib CA")


@dataclass
class AuthlibClient(ClientMixin):  # type: ignore[misc]
    """One registered client; whoever has no secret has a key."""

    client_id: str
    method: str
    secret: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(word for word in (scope or "").split() if word in SCOPES)

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == (Assertion.CLIENT_AUTH_METHOD if self.method.endswith("_jwt") else self.method)

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class Assertion(JWTBearerClientAssertion):  # type: ignore[misc]
    """Takes the issuer and the token endpoint as audience, as Authlib's documentation does."""

    def __init__(self, issuer: str) -> None:
        super().__init__()
        self._issuer = issuer
        self._seen: set[str] = set()

    def get_audiences(self) -> list[str]:
        return [f"{self._issuer}/token", self._issuer]

    def validate_jti(self, claims: dict[str, Any], jti: str) -> bool:
        is_new = jti not in self._seen or claims["sub"] == WORKLOAD
        self._seen.add(jti)
        return is_new

    def resolve_client_public_key(self, client: AuthlibClient) -> Any:
        from joserfc.jwk import OctKey, RSAKey

        if client.secret:
            return OctKey.import_key(client.secret)
        return RSAKey.import_key(client.private_key or "")


class AuthlibServer:
    """Run it in a thread, for a ``with`` block; its issuer has a path."""

    def __init__(self) -> None:
        self.clients = {
            method: AuthlibClient(
                f"{method}-client",
                method,
                None if method == "private_key_jwt" else secrets.token_urlsafe(48),
                _new_key() if method == "private_key_jwt" else None,
            )
            for method in METHODS
        }
        self.clients[WORKLOAD] = AuthlibClient(WORKLOAD, "private_key_jwt", private_key=_new_key())
        self._by_id = {client.client_id: client for client in self.clients.values()}
        self._tokens: dict[str, AuthlibToken] = {}
        self._recorded: list[dict[str, Any]] = []
        logging.getLogger("werkzeug").setLevel(logging.ERROR)

    def __enter__(self) -> Self:
        app = Flask("authlib_server")
        self._server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=_context())
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self.issuer = f"{self.url}/idp"
        self._set_up(app)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def requests(self, path: str = "/token") -> list[dict[str, Any]]:
        """Return what came in since the last :meth:`reset`.

        :param path: the end of the path of those requests.
        """
        return [seen for seen in self._recorded if seen["path"].endswith(path)]

    def reset(self) -> None:
        self._recorded.clear()

    def metadata(self) -> dict[str, Any]:
        """Return what it says of itself, as Authlib checks it (RFC 8414 §2)."""
        document = AuthorizationServerMetadata(
            issuer=self.issuer,
            token_endpoint=f"{self.issuer}/token",
            introspection_endpoint=f"{self.issuer}/introspect",
            revocation_endpoint=f"{self.issuer}/revoke",
            response_types_supported=["none"],
            grant_types_supported=["client_credentials"],
            scopes_supported=list(SCOPES),
            token_endpoint_auth_methods_supported=list(METHODS),
            token_endpoint_auth_signing_alg_values_supported=["HS256", "RS256"],
            introspection_endpoint_auth_methods_supported=list(METHODS),
            introspection_endpoint_auth_signing_alg_values_supported=["HS256", "RS256"],
            revocation_endpoint_auth_methods_supported=list(METHODS),
            revocation_endpoint_auth_signing_alg_values_supported=["HS256", "RS256"],
        )
        document.validate()
        return dict(document)

    def _set_up(self, app: Flask) -> None:
        server = AuthorizationServer()
        app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"client_credentials": LIFETIME}
        server.init_app(app, query_client=self._by_id.get, save_token=self._save)
        server.register_client_auth_method(Assertion.CLIENT_AUTH_METHOD, Assertion(self.issuer))
        server.register_grant(_Grant)
        server.register_endpoint(introspection(self._tokens, _Grant.TOKEN_ENDPOINT_AUTH_METHODS))
        server.register_endpoint(revocation(self._tokens, _Grant.TOKEN_ENDPOINT_AUTH_METHODS))
        app.after_request(self._record)
        for path, respond in {
            "/idp/token": server.create_token_response,
            "/idp/introspect": lambda: server.create_endpoint_response("introspection"),
            "/idp/revoke": lambda: server.create_endpoint_response("revocation"),
        }.items():
            app.add_url_rule(path, path, respond, methods=["POST"])
        where = "/.well-known/oauth-authorization-server/idp"
        app.add_url_rule(where, where, lambda: jsonify(self.metadata()))

    def _save(self, token: dict[str, Any], asked: Any) -> None:
        client, scope = asked.client.client_id, token.get("scope", "")
        self._tokens[token["access_token"]] = AuthlibToken(client, scope, LIFETIME)

    def _record(self, response: Response) -> Response:
        self._recorded.append(
            {
                "method": request.method,
                "path": request.path,
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "form": dict(request.form),
                "status": response.status_code,
            }
        )
        return response


class _Grant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = (*METHODS[:2], Assertion.CLIENT_AUTH_METHOD)


def _context() -> ssl.SSLContext:
    issued = issue(CERTIFICATE_AUTHORITY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        path.write_text(issued.key + issued.certificate)
        context.load_cert_chain(path)
    return context


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
