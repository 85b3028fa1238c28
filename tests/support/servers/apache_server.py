"""A real Apache whose module ``mod_oauth2`` protects an API, with bound tokens too."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.support.ports import free_port
from tests.support.servers.certificates import Issued
from tests.support.servers.missing import ServerMissingError
from tests.support.servers.program import ending_with_us
from tests.support.waiting import until

MODULES = Path("/usr/lib/apache2/modules")
#: Debian's Apache has the others built in.
_LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "alias", "ssl", "oauth2")

_CONFIGURATION = """
{modules}
ServerName 127.0.0.1
ServerRoot {folder}
DocumentRoot {folder}/files
PidFile {folder}/pid
Mutex file:{folder}
User www-data
Group www-data
Listen 127.0.0.1:{port}
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MinSpareThreads 1
MaxSpareThreads 8
MaxRequestWorkers 8
ThreadLimit 8
ErrorLog {folder}/errors
LogLevel info
ForceType application/json
<VirtualHost 127.0.0.1:{port}>
    SSLEngine on
    SSLCertificateFile {folder}/server.pem
    SSLVerifyClient optional_no_ca
    SSLVerifyDepth 1
    SSLOptions +StdEnvVars +ExportCertData
    UseCanonicalName Off
    Redirect 307 /bearer/moved /bearer/orders.json
    Redirect 307 /dpop/moved /dpop/orders.json
    Redirect 307 /bound/moved /bound/orders.json
    <Location /bearer>
        AuthType oauth2
        OAuth2TokenVerify jwks_uri {jwks_uri} jwks_uri.ssl_verify=false
        Require valid-user
    </Location>
    <Location /dpop>
        AuthType oauth2
        OAuth2AcceptTokenIn header name=Authorization&type=dpop
        OAuth2TokenVerify jwks_uri {jwks_uri} jwks_uri.ssl_verify=false&type=dpop
        Require valid-user
    </Location>
    <Location /bound>
        AuthType oauth2
        OAuth2TokenVerify jwks_uri {jwks_uri} jwks_uri.ssl_verify=false&type=mtls&mtls.policy=required
        Require valid-user
    </Location>
</VirtualHost>
"""


class Apache:
    """Start Apache on a free port for a ``with`` block.

    ``/bearer``, ``/dpop`` and ``/bound`` (to a certificate) have ``orders.json`` each, and ``moved``, which
    leads to it.

    :param tls: certificate and key of 127.0.0.1.
    :param jwks_uri: where the keys of access tokens stand.
    """

    def __init__(self, tls: Issued, jwks_uri: str) -> None:
        self._tls = tls
        self._jwks_uri = jwks_uri
        self._port = free_port()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        program = shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin")
        if program is None or not (MODULES / "mod_oauth2.so").exists():
            raise ServerMissingError(
                "Apache with mod_oauth2 not found: install the packages apache2-bin and libapache2-mod-oauth2"
            )
        self._folder = tempfile.TemporaryDirectory(prefix="apache-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)  # its workers run as another user
        (folder / "server.pem").write_text(self._tls.key + self._tls.certificate)
        for kind in ("bearer", "dpop", "bound"):
            files = folder / "files" / kind
            files.mkdir(parents=True)
            (files / "orders.json").write_text(json.dumps({"orders": [1, 2, 3], "kind": kind}))
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in _LOADED)
        configuration = folder / "apache.conf"
        configuration.write_text(
            _CONFIGURATION.format(modules=modules, folder=folder, port=self._port, jwks_uri=self._jwks_uri)
        )
        self._process = subprocess.Popen(
            ending_with_us([program, "-D", "FOREGROUND", "-f", str(configuration)]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # It listens before it has read all of its modules' settings, and writes its number when it has.
        until(lambda: self._process.poll() is not None or (folder / "pid").exists(), "Apache to begin")
        if self._process.poll() is not None:
            self._folder.cleanup()
            raise RuntimeError(f"Apache ended with status {self._process.returncode}")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._folder.cleanup()
