"""Profiles: what the rules of a deployment leave of all that a client could do.

FAPI 2.0 Security Profile (final, February 2025): §5.2.1 (TLS), §5.3.3.1 (what clients shall do), §5.4.1
(algorithms). Every command of Airflow reads this module with the form: it imports nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Profile:
    """What one profile allows.

    :param name: in the connection.
    :param label: what the form says of it.
    :param algorithms: for signatures; ``None`` for any that a key fits.
    :param strict: secrets are not shared, tokens are bound to their client, and all addresses come from the
        issuer, for whom alone assertions are meant.
    """

    name: str
    label: str
    algorithms: tuple[str, ...] | None = None
    strict: bool = False

    def rule(self, section: str) -> str:
        """Return what an error says of where a rule stands."""
        return f"profile {self.name}: FAPI 2.0 Security Profile §{section}"


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile("standard", "OAuth 2.0 as the server has it (standard)"),
            Profile(
                "fapi2",
                "FAPI 2.0: keys or certificates, bound tokens, discovery (fapi2)",
                ("PS256", "ES256", "EdDSA", "Ed25519"),
                strict=True,
            ),
        )
    }
)
"""Every profile by its name; the first is the default."""
DEFAULT_PROFILE = next(iter(PROFILES))
CLIENT_RULES, TLS_RULES, ALGORITHM_RULES = "5.3.3.1", "5.2.1", "5.4.1"
"""Where the rules stand."""
