"""The arguments by which a task asks for a token of its own: scope, audience, resource, tenant.

Imports nothing heavy, since every DAG file does it; what the arguments mean is checked when they are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TOKEN_ARGUMENTS = ("scope", "audience", "resource", "tenant")
Texts = str | Sequence[str]


class TokenArguments:
    """A task that has them; each ``None`` for what the connection says."""

    scope: Texts | None
    audience: str | None
    resource: Texts | None
    tenant: str | None

    def choose_token(
        self, scope: Texts | None, audience: str | None, resource: Texts | None, tenant: str | None
    ) -> None:
        """Set them, as they are given; they may be templates."""
        self.scope = scope
        self.audience = audience
        self.resource = resource
        self.tenant = tenant

    @property
    def token_arguments(self) -> dict[str, Any]:
        """The arguments by name, for a hook or a trigger."""
        return {name: getattr(self, name) for name in TOKEN_ARGUMENTS}
