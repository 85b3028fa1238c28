"""The ``custom`` provider that ``airflow.cfg`` names: foreign code, asked in the thread of a search.

Whatever it raises, even ``sys.exit()``, is an error of the search, and its text may hold a secret.
"""

from __future__ import annotations

import logging

from airflow_oauth_provider.exceptions import OAuthError, TokenResponseError, TransportError
from airflow_oauth_provider.protocol.confidential_values import redactor_of
from airflow_oauth_provider.protocol.settings import ClientSettings, CustomProvider
from airflow_oauth_provider.protocol.token.response import Granted, check_custom_token

log = logging.getLogger(__name__)


def ask_provider(settings: ClientSettings) -> Granted | OAuthError:
    """Return what the provider grants, or the error that stands for what it raises."""
    custom = settings.custom
    if custom is None:
        raise ValueError("auth_method custom needs a provider")
    try:
        return Granted(check_custom_token(settings, custom.function(settings)))
    except BaseException as error:
        return _of_provider(custom, settings, error)


def _of_provider(custom: CustomProvider, settings: ClientSettings, error: BaseException) -> OAuthError:
    """Return an error of this package as it is, redacted; of another only the name of its class.

    A class that is derived from one of ours need not be made for copying, and may raise whatever it is asked.
    """
    if isinstance(error, OAuthError):
        try:
            redacted = redactor_of(settings).error(error)
            redacted.for_connection("")
            str(redacted)
        except BaseException as failed:
            log.debug("%s cannot be copied: %s", type(error).__name__, type(failed).__name__)
        else:
            return redacted
    name = type(error).__name__
    if isinstance(error, TransportError):
        return TransportError(f'the custom provider "{custom.name}" has received no response ({name})')
    return TokenResponseError(
        f'the custom provider "{custom.name}" raised {name} ([oauth2] custom_providers)'
    )
