"""The versions of the libraries that tests are for."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from tests.manual.consumers import DISTRIBUTIONS


def labelled(module: str) -> str:
    """Return what a module belongs to, with its version where that is installed: ``trino 0.340.0``."""
    distribution = DISTRIBUTIONS.get(module, module)
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return distribution
