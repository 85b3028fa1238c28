"""Tokens of a connection that single uses have asked for with parameters of their own.

They are kept like any token, each under its own key. The connection remembers their keys, so that they go
when its own token is forgotten or authorized anew.
"""

from __future__ import annotations

from functools import partial

from airflow_oauth_provider.client.reading import ConnectionReader
from airflow_oauth_provider.connection.token_parameters import NONE_CHOSEN
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.async_single_flight import in_thread
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.tokens.search_cost import SearchCost


class DerivedTokens:
    """Those of one use.

    :param reader: of the connection.
    """

    def __init__(self, reader: ConnectionReader) -> None:
        self.chosen = reader.parameters != NONE_CHOSEN
        """Whether this use has parameters of its own."""
        self._reader = reader

    def remember(self, settings: ClientSettings, cost: SearchCost) -> None:
        """Remember the key of a token that was just asked for."""
        own = self._reader.own_settings
        if self.chosen and cost.requests and own is not None:
            shared.remember_derived(own, settings, self._reader.sharing)

    async def aremember(self, settings: ClientSettings, cost: SearchCost) -> None:
        """Do what :meth:`remember` does without blocking the loop."""
        if self.chosen and cost.requests:
            await in_thread(partial(self.remember, settings, cost))

    def forget(self) -> None:
        """Forget all of the connection, where this use is the connection's own."""
        own = self._reader.own_settings
        if own is not None and not self.chosen:
            shared.forget_derived(own, self._reader.sharing)
