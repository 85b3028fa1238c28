"""Where token requests of a client go: a token endpoint that is configured, or found by discovery.

Metadata that is less than a day old is used as it is. Older metadata serves while discovery fails for a
temporary reason. Metadata that leads to an endpoint that is not there any more is fetched anew, once.
"""

from __future__ import annotations

from collections.abc import Generator

from airflow_oauth_provider.exceptions import TransportError
from airflow_oauth_provider.protocol.client.methods import method_of
from airflow_oauth_provider.protocol.configured_server import Issuer, TokenEndpoint
from airflow_oauth_provider.protocol.effects import Effect, Flow, Outcome, Remember
from airflow_oauth_provider.protocol.http import Fault
from airflow_oauth_provider.protocol.moments import Moment
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.texts import MAX_SCOPES, cut
from airflow_oauth_provider.protocol.token.discovery import discovery
from airflow_oauth_provider.protocol.token.metadata import KEPT, KnownMetadata, Metadata
from airflow_oauth_provider.protocol.urls import Url

MOVED_AFTER = 60.0
"""Seconds for which metadata is believed though its endpoint is not there: a server that is broken, and not
moved, is not to be asked twice as often for it."""
# What a request to a token endpoint that has moved away ends with: a status, or no connection to it.
_MOVED: frozenset[object] = frozenset(
    {301, 302, 303, 307, 308, 404, 405, 410, Fault.DNS, Fault.UNREACHABLE, Fault.TLS_CERTIFICATE}
)


class ServerLookup:
    """The endpoint of one acquisition.

    :param known: metadata of the issuer as somebody has fetched it before, if anybody has.

    ``url`` is the endpoint that was found last; ``warnings`` deserve a log line each.
    """

    def __init__(self, settings: ClientSettings, known: KnownMetadata | None) -> None:
        self.url: Url | None = None
        self.warnings: list[str] = []
        self._settings = settings
        self._known = known
        self._fetched = False

    def endpoint(self, moment: Moment, ends_at: float) -> Generator[Effect, Outcome, tuple[Url, Moment]]:
        """Return the token endpoint, and now.

        :param moment: now.
        :param ends_at: monotonic seconds at which to give up.
        :raises ConfigurationError: when the issuer has no metadata that can be used.
        :raises TransportError: when it cannot be reached, and nothing is known of it.
        """
        server = self._settings.server
        if isinstance(server, TokenEndpoint):
            self.url = server.url
        else:
            metadata, moment = yield from self._metadata(server, moment, ends_at)
            alias = metadata.endpoint("token_endpoint", certificate=self._presents_certificate)
            self.url = alias or metadata.token_endpoint
        return self.url, moment

    def other_endpoint(self, name: str, moment: Moment, ends_at: float) -> Flow[Url | None]:
        """Return another endpoint of the server; ``None`` where nothing gives its address.

        :param name: in the metadata: ``introspection_endpoint`` or ``revocation_endpoint``.
        :raises OAuthError: as :meth:`endpoint` does.
        """
        server = self._settings.server
        if isinstance(server, TokenEndpoint):
            return None
        metadata, _ = yield from self._metadata(server, moment, ends_at)
        return metadata.endpoint(name, certificate=self._presents_certificate)

    @property
    def _presents_certificate(self) -> bool:
        return self._settings.network.certificate is not None

    def _metadata(
        self, server: Issuer, moment: Moment, ends_at: float
    ) -> Generator[Effect, Outcome, tuple[Metadata, Moment]]:
        known = self._known
        if known is not None and known.is_fresh(moment.wall):
            return known.metadata, moment
        deadline = min(moment.monotonic + self._settings.network.request_timeout, ends_at)
        self._fetched = True
        try:
            metadata = yield from discovery(server.identifier, server.allowed_hosts, deadline=deadline)
        except TransportError as error:
            if known is None or not error.retryable or not 0 <= moment.wall - known.fetched_at < KEPT:
                raise
            self.warnings.append(f"the issuer's metadata of last time is used: {error.message}")
            return known.metadata, moment
        offered = metadata.auth_methods
        method = method_of(self._settings)
        if offered is not None and not set(offered) & set(method.offered_as or (method.name,)):
            # The request is made all the same: such documents are wrong as often as right.
            others = cut(", ".join(offered), MAX_SCOPES) or "no method"
            self.warnings.append(f"the issuer's metadata does not offer {method.name}, but {others}")
        self._known = KnownMetadata(metadata, moment.wall)
        moment = (yield Remember(self._known)).moment
        return metadata, moment

    def has_moved(self, kind: object, now: float) -> bool:
        """Whether metadata is to be fetched anew after a failed request; true once.

        :param kind: HTTP status or fault that the request ended with.
        :param now: seconds since the epoch.
        """
        if self._known is None or self._fetched or kind not in _MOVED:
            return False
        if 0 <= now - self._known.fetched_at < MOVED_AFTER:
            return False
        self._known = None
        return True
