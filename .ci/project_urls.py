"""The package's URLs, made of the one address at the top of ``pyproject.toml`` when it is built."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


def urls(repository: str) -> dict[str, str]:
    """Return the names and addresses that package indexes show.

    :param repository: the address of the repository; empty while there is none.
    """
    if not (root := repository.rstrip("/")):
        return {}
    return {
        "Homepage": root,
        "Documentation": f"{root}/blob/main/docs/index.md",
        "Changelog": f"{root}/blob/main/CHANGELOG.md",
        "Source": root,
        "Issues": f"{root}/issues",
    }


class ProjectUrls(MetadataHookInterface):
    """Hatch asks it for what ``pyproject.toml`` calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the URLs into *metadata*."""
        content = tomllib.loads((Path(self.root) / "pyproject.toml").read_text(encoding="utf-8"))
        metadata["urls"] = urls(content["tool"]["publishing"]["repository"])
