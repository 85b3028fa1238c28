"""Servers on Node, and the npm packages that they need."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.servers.missing import ServerMissingError
from tests.support.servers.program import Program

FOLDER = Path(__file__).parent / "oidc"


def node_program(file: str, options: dict[str, Any]) -> Program:
    """Return a program of the folder ``oidc``.

    :raises ServerMissingError: when Node is not there or the packages cannot be had.
    """
    _install_packages()
    return Program(["node", file], FOLDER, options)


def _install_packages() -> None:
    """Install the packages, once for each version that ``package.json`` names."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        raise ServerMissingError(f"{' and '.join(missing)} not found: install Node.js 20 or later")
    with (FOLDER / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # tests run in several processes
        packages: dict[str, str] = json.load(file)["dependencies"]
        if all(_version(name) == version for name, version in packages.items()):
            return
        done = subprocess.run(
            ["npm", "install", "--silent"],
            cwd=FOLDER,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            names = ", ".join(packages)
            raise ServerMissingError(f"npm could not install {names} (status {done.returncode})")


def _version(name: str) -> str | None:
    """Return the version of a package that is installed."""
    try:
        text = (FOLDER / "node_modules" / name / "package.json").read_text()
    except OSError:
        return None
    version: str | None = json.loads(text).get("version")
    return version
