from __future__ import annotations

import pytest
from cryptography import x509

from airflow_oauth_provider.protocol.client.methods import METHODS
from airflow_oauth_provider.protocol.secret import Secret
from tests.support.builders import settings
from tests.support.servers.certificates import issue_client
from tests.support.token_requests import build, form, thumbprint


class TestCertificates:
    """RFC 8705 §2."""

    @pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
    def test_the_body_says_who_it_is_and_nothing_proves_it(self, method: str) -> None:
        request = build(settings(auth_method=method, client_secret=None))
        assert form(request) == {"grant_type": ["client_credentials"], "client_id": ["my-client"]}
        assert "authorization" not in {name.lower() for name, _ in request.headers}

    def test_the_advice_names_what_the_server_has_to_know(self) -> None:
        issued = issue_client(name="orders")
        options = {"private_key": Secret(issued.key), "certificate": issued.certificate}
        by_name, by_thumbprint = (
            " ".join(METHODS[name].advice(settings(auth_method=name, client_secret=None, assertion=options)))
            for name in ("tls_client_auth", "self_signed_tls_client_auth")
        )
        assert '"CN=orders"' in by_name
        own = x509.load_pem_x509_certificate(issued.certificate.encode())
        assert thumbprint(own) in by_thumbprint
