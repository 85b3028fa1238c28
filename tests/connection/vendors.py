"""What vendors' pages say of their servers: rows for the presets."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.servers.scripted import RecordedRequest

ID, SECRET, TENANT = "the-client", "the secret/of:the client", "acme"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
BEARER = {"access_token": "tok-1", "token_type": "Bearer", "expires_in": 3600}


def form_of(request: RecordedRequest) -> dict[str, Any]:
    """Return the parameters of a request whose body is a form."""
    assert request.header("Content-Type") == "application/x-www-form-urlencoded"
    pairs = parse_qsl(request.body.decode(), strict_parsing=True)
    assert len(dict(pairs)) == len(pairs), "none of these stands in it twice"
    return dict(pairs)


def by_basic(request: RecordedRequest) -> dict[str, Any]:
    """Return the parameters of a request that proves the client by Basic."""
    scheme, _, value = (request.header("Authorization") or "").partition(" ")
    assert (scheme, base64.b64decode(value).decode()) == ("Basic", f"{ID}:{SECRET}")
    return form_of(request)


def by_encoded_basic(request: RecordedRequest) -> dict[str, Any]:
    value = (request.header("Authorization") or "").removeprefix("Basic ")
    assert base64.b64decode(value).decode() == f"{ID}:the%20secret%2Fof%3Athe%20client"
    return form_of(request)


def in_body(request: RecordedRequest) -> dict[str, Any]:
    """Return the parameters of a request that has id and secret in its body."""
    as_json = request.header("Content-Type") == "application/json"
    given: dict[str, Any] = json.loads(request.body) if as_json else form_of(request)
    assert (given.pop("client_id"), given.pop("client_secret")) == (ID, SECRET)
    assert request.header("Authorization") is None
    return given | ({"json": True} if as_json else {})


def by_assertion(request: RecordedRequest) -> dict[str, Any]:
    given = form_of(request)
    assert given.pop("client_assertion_type").endswith(":jwt-bearer")
    assertion = given.pop("client_assertion")
    algorithm = jwt.get_unverified_header(assertion)["alg"]
    claims = jwt.decode(assertion, KEY.public_key(), algorithms=[algorithm], options={"verify_aud": False})
    assert claims["iss"] == claims["sub"] == given.pop("client_id") == ID
    assert claims["exp"] - claims["iat"] <= 300
    return given | {"alg": algorithm}


@dataclass(frozen=True)
class Row:
    """What a vendor's page says.

    :param token_url: of the tenant ``acme``; *given* what a person fills in.
    :param client: how the client proves itself; returns the other parameters, which are *asked*.
    :param response: of the token endpoint; *lifetime* what it means, in seconds: 300 where it says nothing.
    :param api: URL that an endpoint ``x`` has; *header* where the token stands.
    :param dead: status and body by which the API tells that a token has ended.
    """

    token_url: str
    client: Any
    asked: dict[str, Any]
    api: str | None = None
    given: dict[str, str] = field(default_factory=dict)
    response: dict[str, Any] = field(default_factory=lambda: dict(BEARER))
    status: int = 200
    lifetime: int = 3600
    header: tuple[str, str] = ("Authorization", "Bearer tok-1")
    dead: tuple[int, Any] = (401, {})
    key: bool = False


CC = {"grant_type": "client_credentials"}
GRAPH = "https://graph.microsoft.com"
ENTRA = "https://login.microsoftonline.com/acme/oauth2/v2.0/token"
ROWS = {
    "entra": Row(
        ENTRA, in_body, CC | {"scope": "api://orders/.default"}, given={"scope": "api://orders/.default"}
    ),
    "microsoft-graph": Row(ENTRA, in_body, CC | {"scope": f"{GRAPH}/.default"}, f"{GRAPH}/v1.0/x"),
    "auth0": Row(
        "https://acme.auth0.com/oauth/token",
        in_body,
        CC | {"audience": "https://orders"},
        given={"audience": "https://orders"},
        response=BEARER | {"expires_in": 86400, "scope": "read:orders"},
        lifetime=86400,
    ),
    "okta": Row(
        "https://acme.okta.com/oauth2/v1/token",
        by_assertion,
        CC | {"scope": "okta.users.read", "alg": "RS256"},
        "https://acme.okta.com/api/v1/x",
        {"scope": "okta.users.read"},
        BEARER | {"scope": "okta.users.read"},
        key=True,
    ),
    "okta-custom": Row(
        "https://acme.okta.com/oauth2/default/v1/token",
        by_encoded_basic,
        CC | {"scope": "orders.read"},
        given={"scope": "orders.read"},
        response=BEARER | {"scope": "orders.read"},
    ),
    "keycloak": Row(
        "https://sso.example/realms/orders/protocol/openid-connect/token",
        by_encoded_basic,
        CC,
        response=BEARER | {"not-before-policy": 0, "refresh_expires_in": 0, "scope": "profile email"},
    ),
    "cognito": Row(
        "https://orders.auth.eu-west-1.amazoncognito.com/oauth2/token",
        by_encoded_basic,
        CC | {"scope": "orders/read"},
        given={"scope": "orders/read"},
    ),
    "salesforce": Row(
        "https://acme.my.salesforce.com/services/oauth2/token",
        in_body,
        CC,
        "https://acme.my.salesforce.com/services/data/x",
        response={
            "access_token": "tok-1",
            "signature": "c2ln",
            "scope": "api",
            "instance_url": "https://acme.my.salesforce.com",
            "id": "https://login.salesforce.com/id/00D/005",
            "token_type": "Bearer",
            "issued_at": "1700000000000",
        },
        lifetime=300,
    ),
    "salesforce-marketing-cloud": Row(
        "https://acme.auth.marketingcloudapis.com/v2/token",
        in_body,
        CC | {"json": True},
        "https://acme.rest.marketingcloudapis.com/x",
        response=BEARER
        | {
            "expires_in": 1079,
            "scope": "email_read",
            "soap_instance_url": "https://acme.soap.marketingcloudapis.com/",
            "rest_instance_url": "https://acme.rest.marketingcloudapis.com/",
        },
        lifetime=1079,
    ),
    "marketo": Row(
        "https://acme.mktorest.com/identity/oauth/token",
        in_body,
        CC,
        "https://acme.mktorest.com/rest/x",
        response=BEARER | {"token_type": "bearer", "expires_in": 3599, "scope": "apis@acme.example"},
        dead=(200, {"requestId": "1", "success": False, "errors": [{"code": "602", "message": "expired"}]}),
        lifetime=3599,
    ),
    "shopify": Row(
        "https://acme.myshopify.com/admin/oauth/access_token",
        in_body,
        CC,
        "https://acme.myshopify.com/admin/api/x",
        response={"access_token": "tok-1", "scope": "read_orders,write_orders", "expires_in": 86399},
        header=("X-Shopify-Access-Token", "tok-1"),
        lifetime=86399,
    ),
    "zendesk": Row(
        "https://acme.zendesk.com/oauth/tokens",
        in_body,
        CC | {"scope": "read", "json": True},
        "https://acme.zendesk.com/api/v2/x",
        {"scope": "read"},
        {"access_token": "tok-1", "scope": "read", "token_type": "bearer"},
        lifetime=300,
    ),
    "zoom": Row(
        "https://zoom.us/oauth/token",
        by_basic,
        {"grant_type": "account_credentials", "account_id": "gYz8_S9"},
        "https://api.zoom.us/v2/x",
        {"post_params": "account_id=gYz8_S9"},
        BEARER | {"token_type": "bearer", "scope": "user:read", "api_url": "https://api.zoom.us"},
    ),
    "wix": Row(
        "https://www.wixapis.com/oauth2/token",
        in_body,
        CC | {"instance_id": "i-1", "json": True},
        "https://www.wixapis.com/x",
        {"post_params": "instance_id=i-1"},
        BEARER | {"expires_in": 14400},
        header=("Authorization", "tok-1"),
        lifetime=14400,
    ),
    "booking": Row(
        "https://connectivity-authentication.booking.com/token-based-authentication/exchange",
        in_body,
        CC | {"json": True},
        "https://supply-xml.booking.com/x",
        response={"jwt": "tok-1", "ruid": "980ceb59-2790-7841-b172-57f1c9489653"},
        lifetime=300,
    ),
    "crowdstrike": Row(
        "https://api.crowdstrike.com/oauth2/token",
        in_body,
        CC,
        "https://api.crowdstrike.com/x",
        response=BEARER | {"token_type": "bearer", "expires_in": 1799},
        status=201,
        lifetime=1799,
    ),
    "fiserv": Row(
        "https://cert.api.fiservapps.com/fts-apim/oauth2/v2",
        by_encoded_basic,
        CC,
        "https://cert.api.fiservapps.com/banking/efx/v1/x",
        {"base_url": "https://cert.api.fiservapps.com/banking/efx/v1"},
        {"access_token": "tok-1", "expires_in": "899000", "token_type": "Bearer"},
        lifetime=899,
    ),
    "smart-backend": Row(
        "https://fhir.example/oauth2/token",
        by_assertion,
        CC | {"scope": "system/Patient.rs", "alg": "RS384"},
        given={"scope": "system/Patient.rs"},
        response=BEARER | {"token_type": "bearer", "scope": "system/Patient.rs"},
        key=True,
    ),
    "airflow-keycloak": Row(
        "https://airflow.example/auth/token",
        in_body,
        CC | {"json": True},
        "https://airflow.example/api/v2/x",
        {"base_url": "https://airflow.example/api/v2"},
        {"access_token": "tok-1"},
        status=201,
        lifetime=300,
    ),
}
