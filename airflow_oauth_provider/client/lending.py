"""Whether a connection's tokens may be handed to another library, which sends them where it likes.

The origins of the connection do not bound such a library. What *another connection* can name works only for
connections that ``[oauth2] lent_connections`` lists: else whoever edits, say, a Snowflake connection could
have any token sent to a host of their own.
"""

from __future__ import annotations

from time import monotonic

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.deployment.policy import GOOD_FOR, Policy, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.dpop.proof import DPOP
from airflow_oauth_provider.tokens import AccessToken


class Lending:
    """The permission of one connection; what was read holds for a minute, as all of the section does."""

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self._lent_until = float("-inf")

    def require(self) -> None:
        """Refuse to lend.

        :raises ConfigurationError: with the line of ``airflow.cfg`` to add.
        """
        if monotonic() >= self._lent_until:
            with masking.airflow_channel:
                self._require(read_policy())

    def require_in_loop(self) -> None:
        """Do what :meth:`require` does, without waiting for threads that read connections."""
        if monotonic() >= self._lent_until:
            self._require(read_policy())

    def _require(self, policy: Policy) -> None:
        policy.require_lent(self.conn_id)
        self._lent_until = monotonic() + GOOD_FOR

    def __reduce__(self) -> tuple[type[Lending], tuple[str]]:
        return Lending, (self.conn_id,)


def require_bearer(token: AccessToken, conn_id: str) -> AccessToken:
    """Return a token that is of use to whoever holds it.

    :raises ConfigurationError: for one that is bound to a key.
    """
    if token.token_type == DPOP:
        raise ConfigurationError(
            "its tokens are bound to a key (DPoP), and of no use to a library that is handed a token "
            "alone: call the API by the hook or OAuth2Auth, or switch dpop off",
            field="dpop",
            conn_id=conn_id,
        )
    return token
