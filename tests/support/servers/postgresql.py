"""PostgreSQL, as Debian packages it."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.servers.missing import ServerMissingError


@contextmanager
def postgres() -> Iterator[str]:
    """Run PostgreSQL, which refuses to run as root, as the user Debian makes for it."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        raise ServerMissingError("PostgreSQL is not installed: apt-get install postgresql")
    account = pwd.getpwnam("postgres")
    as_owner: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if os.geteuid() == 0:
        as_owner |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, account.pw_uid, account.pw_gid)
        data, port = folder / "data", free_port()
        initialise: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "airflow",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        subprocess.run(initialise, check=True, cwd=folder, **as_owner)
        options = [f"-cport={port}", "-clisten_addresses=127.0.0.1", f"-cunix_socket_directories={folder}"]
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-cfsync=off", *options], cwd=folder, **as_owner
        )
        try:
            ready: list[str | Path] = [
                programs / "pg_isready",
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                "-U",
                "airflow",
            ]
            while subprocess.run(ready, check=False, **as_owner).returncode:
                time.sleep(0.1)
            yield f"airflow@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
