"""What one use of a connection asks for instead of what the connection says.

They change what the token is asked for, and so its key: callers with other parameters never get each
other's token. Where the token may go stays the connection's affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from airflow_oauth_provider.connection.checks import is_scope_token, printable
from airflow_oauth_provider.connection.parsing import FieldError, require_characters
from airflow_oauth_provider.connection.tenant import is_tenant
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import ClientSettings, RequestSettings
from airflow_oauth_provider.protocol.texts import cut
from airflow_oauth_provider.protocol.urls import is_absolute_uri

Texts = str | Sequence[str]
MAX_TEXT = 8 * 1024
"""Characters of all parameters of one kind."""
MAX_SHOWN = 200
"""Characters of one in a message."""


@dataclass(frozen=True)
class TokenParameters:
    """The parameters of one use; ``None`` for what the connection says.

    :param scope: scope tokens; empty for none at all.
    :param tenant: one of the connection's ``tenants``.
    """

    scope: tuple[str, ...] | None = None
    audience: str | None = None
    resource: tuple[str, ...] | None = None
    tenant: str | None = None

    @classmethod
    def of(
        cls,
        scope: Texts | None = None,
        audience: str | None = None,
        resource: Texts | None = None,
        tenant: str | None = None,
    ) -> TokenParameters:
        """Check what a caller gives.

        :param scope: space-delimited, or a list; *resource* likewise.
        :raises ConfigurationError: naming the argument that cannot be meant.
        """
        scopes = None if scope is None else tuple(dict.fromkeys(_texts("scope", scope)))
        if scopes is not None and not all(map(is_scope_token, scopes)):
            raise _refused("scope", 'must be words of printable ASCII without " and \\ (RFC 6749 §3.3)')
        resources = None if resource is None else tuple(dict.fromkeys(_texts("resource", resource)))
        if resources is not None and not all(map(is_absolute_uri, resources)):
            raise _refused("resource", "must be absolute URIs without fragment (RFC 8707 §2)")
        if audience is not None:
            _require_text("audience", audience)
        if tenant is not None and not (isinstance(tenant, str) and is_tenant(tenant)):
            raise _refused("tenant", "must be 1 to 63 letters, digits and hyphens")
        return cls(scopes, audience, resources, tenant)

    def applied(self, settings: ClientSettings) -> ClientSettings:
        """Return the settings of this use; the tenant has been put into them before.

        A connection that leaves the scope out of its requests (``include_scope``) leaves out every one.

        :raises ConfigurationError: for what the connection does not allow.
        """
        scope = self.scope if settings.request.include_scope else None
        chosen = {"scope": scope, "audience": self.audience, "resources": self.resource}
        changes: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
        if not changes:
            return settings
        _require_allowed(scope, self.audience, settings.request)
        if scope is not None:  # what a connection requires speaks of its own scope
            settings = replace(settings, api=replace(settings.api, require_scopes=()))
        return replace(settings, request=replace(settings.request, **changes))


def _require_allowed(scope: tuple[str, ...] | None, audience: str | None, own: RequestSettings) -> None:
    for name, chosen, allowed, as_own in (
        ("scope", scope or (), own.allowed_scopes, own.scope),
        ("audience", () if audience is None else (audience,), own.allowed_audiences, (own.audience,)),
    ):
        for text in chosen if allowed else ():
            if text not in allowed and text not in as_own:
                raise ConfigurationError(
                    f"does not list the {name} {cut(printable(text), MAX_SHOWN)}, which this use asks for; "
                    "nor is it the connection's own",
                    field=f"allowed_{name}s",
                )


NONE_CHOSEN = TokenParameters()
PARAMETER_NAMES = tuple(field.name for field in fields(TokenParameters))


def _texts(name: str, value: Texts) -> list[str]:
    texts = value.split(" ") if isinstance(value, str) else value
    if not isinstance(texts, list | tuple | set | frozenset):
        raise _refused(name, "must be text, or a list of texts")
    for text in texts:
        _require_text(name, text)
    given = [text for text in (sorted(texts) if isinstance(texts, set | frozenset) else texts) if text]
    if sum(map(len, given)) > MAX_TEXT:
        raise _refused(name, f"is longer than {MAX_TEXT // 1024} KiB")
    return given


def _require_text(name: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise _refused(name, f"must be text without control characters, of {MAX_TEXT // 1024} KiB at most")
    try:
        require_characters(value)
    except FieldError as error:
        raise _refused(name, str(error)) from None


def _refused(name: str, reason: str) -> ConfigurationError:
    return ConfigurationError(reason, field=name)


def chosen_parameters(
    conn_id: str,
    scope: Texts | None = None,
    audience: str | None = None,
    resource: Texts | None = None,
    tenant: str | None = None,
) -> TokenParameters:
    """Return what a caller has chosen, as :meth:`TokenParameters.of` does.

    :raises ConfigurationError: naming connection and argument.
    """
    try:
        return TokenParameters.of(scope, audience, resource, tenant)
    except ConfigurationError as error:
        refused = error.for_connection(conn_id)
    raise refused
