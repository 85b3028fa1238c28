"""A real nginx that ends mutual TLS in front of a server, as many deployments have it."""

from __future__ import annotations

from pathlib import Path

from tests.support.servers.certificates import Issued
from tests.support.servers.nginx_server import Nginx

_SERVER = """server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    ssl_client_certificate {folder}/clients.pem;
    ssl_verify_client on;
    location / {{
        proxy_pass {upstream};
        proxy_http_version 1.1;
        proxy_set_header X-Client-Subject $ssl_client_s_dn;
        proxy_set_header X-Client-Verified $ssl_client_verify;
    }}
}}"""


class NginxMutualTls(Nginx):
    """Start it for a ``with`` block.

    :param upstream: URL of the server behind it.
    :param issued: certificate of nginx itself.
    :param clients: PEM of the authority of clients.
    """

    def __init__(self, upstream: str, issued: Issued, clients: str) -> None:
        super().__init__(upstream)
        self._issued = issued
        self._clients = clients

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def configure(self, folder: Path) -> str:
        """Return the block ``server``, and write the files that it names."""
        (folder / "server.pem").write_text(self._issued.certificate + self._issued.key)
        (folder / "clients.pem").write_text(self._clients)
        return _SERVER.format(folder=folder, port=self.port, upstream=self._upstream)
