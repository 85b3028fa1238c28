"""What docs/mutual-tls.md tells people to do, done: openssl as it stands there, then a connection."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from airflow.sdk import Connection

from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.client.certificates import certificate_of
from airflow_oauth_provider.transport.tls import tls_context
from tests.demo.dag_runs import ROOT
from tests.support.servers.certificates import authority

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not there")
PAGE = (ROOT / "docs" / "mutual-tls.md").read_text()
FOR_AN_AUTHORITY, SELF_SIGNED, REGISTERED, CREATED = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def shell(folder: Path, commands: str) -> list[str]:
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def connection(folder: Path, method: str) -> Connection:
    return Connection(
        conn_id="orders_api",
        conn_type="oauth2_client_credentials",
        host="https://idp.example/token",
        login="nightly-import",
        extra={"auth_method": method, "private_key": (folder / "client-with-key.pem").read_text()},
    )


@pytest.mark.parametrize("kind", ["for an authority", "self-signed"])
def test_its_commands_make_what_a_connection_takes(tmp_path: Path, kind: str) -> None:
    if kind == "self-signed":
        shell(tmp_path, SELF_SIGNED)
        method, subject = "self_signed_tls_client_auth", "CN=nightly-import"
    else:
        shell(tmp_path, FOR_AN_AUTHORITY)
        sign(tmp_path)
        method, subject = "tls_client_auth", "CN=nightly-import,O=Example"
    output = shell(tmp_path, REGISTERED)
    shell(tmp_path, CREATED.splitlines()[0])
    settings = resolve(connection(tmp_path, method), Policy()).settings
    own = certificate_of(settings.assertion)
    assert own is not None
    assert output == [f"subject={own.subject}", own.thumbprint], "as the server registers it, and we name it"
    assert own.subject == subject
    assert tls_context(settings.network)


def sign(folder: Path) -> None:
    """Do what the authority does."""
    from cryptography.hazmat.primitives import serialization

    ca = authority("Clients")
    key = ca.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.key").write_bytes(key)
    (folder / "ca.pem").write_text(ca.certificate)
    shell(folder, "openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -days 9 -out client.pem")
