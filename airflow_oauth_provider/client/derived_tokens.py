"""Tokens of a connection that single uses have asked for with parameters of their own.

They are kept like any token, each under its own key. The connection remembers their keys, so that they go
when its own token is forgotten or authorized anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from airflow_oauth_provider.client.reading import ConnectionReader
from airflow_oauth_provider.connection.token_parameters import NONE_CHOSEN
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens.derived_keys import DerivedKeys
from airflow_oauth_provider.tokens.manager import shared


class DerivedTokens:
    """The derived tokens of the connection that one use reads.

    :param reader: of the connection.
    """

    def __init__(self, reader: ConnectionReader) -> None:
        self.chosen = reader.parameters != NONE_CHOSEN
        """Whether this use has parameters of its own."""
        self._reader = reader

    def remembering(self, settings: ClientSettings) -> Callable[[], None] | None:
        """Return what remembers the key of a token before it is asked for; ``None`` for the connection's own.

        :param settings: of the use.
        """
        own = self._reader.own_settings
        if own is None or not self.chosen:
            return None
        return partial(DerivedKeys(own, self._reader.sharing).remember, token_key(settings))

    def forget(self) -> None:
        """Forget all of the connection, where this use is the connection's own."""
        own = self._reader.own_settings
        if own is not None and not self.chosen:
            for key in DerivedKeys(own, self._reader.sharing).forget():
                shared.slots.drop(key)
