"""How tokens are shared: which store, under which keys of the deployment."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.sealing import Sealer, sealer
from airflow_oauth_provider.tokens.stores.base import Reach, Store
from airflow_oauth_provider.tokens.stores.choice import memory

# Seals what stays in this process and belongs to a client without any credential of its own.
_process_key = Secret(secrets.token_hex(32))


@dataclass(frozen=True)
class Sharing:
    """The deployment's choice.

    :param store: where entries lie.
    :param keys: ``store_key``, newest first; older ones only read.
    :param history_days: for which the outcomes of a connection are kept; 0 keeps none.
    """

    store: Store = memory
    keys: tuple[Secret, ...] = field(default=(), repr=False)
    history_days: int = 0

    @property
    def leaves_the_host(self) -> bool:
        """Whether entries lie in another system, sealed by the client's own credential alone."""
        return self.store.reach is Reach.HOSTS and not self.keys

    def store_for(self, settings: ClientSettings) -> Store:
        """Return the store; a client without a credential has nothing to seal with, so none is shared."""
        return self.store if settings.credential or self.keys else memory

    def sealers(self, settings: ClientSettings) -> tuple[Sealer, ...]:
        """Return who seals (the first) and who may still open."""
        if not self.keys:
            return (sealer(settings.credential or _process_key, None),)
        return tuple(sealer(settings.credential, key) for key in self.keys)


ALONE = Sharing()
"""Nothing leaves the process."""
