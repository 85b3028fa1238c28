"""The openssl command."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not there")
RSA_KEY = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048"
CERTIFICATE = "req -x509 -newkey rsa:2048 -noenc -keyout key.pem -out cert.pem -days 30 -subj /CN=client"
PKCS12 = "pkcs12 -export -inkey key.pem -in cert.pem -name my-key -out client.p12"


def openssl(folder: Path, *commands: str) -> bytes:
    """Run commands in a folder; return what the last one printed."""
    printed = b""
    for command in commands:
        done = subprocess.run(
            ["openssl", *shlex.split(command)], cwd=folder, capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        printed = done.stdout
    return printed
