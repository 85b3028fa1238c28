"""Python of the DAG's, called with what it asks for of Airflow's context."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.calls.foreign_errors import called

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_oauth_provider.protocol.redaction import Redactor


def call_with_context(
    function: Callable[..., Any],
    argument: Any,
    context: Context,
    *,
    redactor: Redactor,
    name: str,
    read: Callable[[Any], Any] = lambda result: result,
) -> Any:
    """Call a check or a filter.

    :param argument: the response, or the list of pages.
    :param context: of which the function is given what its parameters name.
    :param redactor: of what an error may not repeat.
    :param name: of the task's argument that it is.
    :param read: makes of what it returns all that is needed: to look at that later may raise, too.
    """
    more = called(_asked_for, function, argument, context, redactor=redactor, name=name)
    return called(lambda: read(function(argument, **more)), redactor=redactor, name=name)


def truth_of(result: Any) -> Any:
    """Return whether a check holds; a ``PokeReturnValue`` of Airflow's, which says so itself, as it is."""
    from airflow.providers.common.compat.sdk import PokeReturnValue

    return result if isinstance(result, PokeReturnValue) else bool(result)


def _asked_for(function: Callable[..., Any], argument: Any, context: Context) -> Mapping[str, Any]:
    """Return what the parameters of a function name of the context.

    Nothing where Python does not know them: of ``bool``, of ``operator.attrgetter("ok")``.
    """
    try:
        inspect.signature(function)
    except ValueError:
        return {}
    try:
        from airflow.sdk.bases.decorator import determine_kwargs
    except ImportError:  # Airflow 3.0; there the other one does not warn yet
        from airflow.utils.operator_helpers import determine_kwargs

    asked_for: Mapping[str, Any] = determine_kwargs(function, [argument], context)
    return asked_for
