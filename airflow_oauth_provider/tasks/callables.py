"""Python of the DAG's, called with what it asks for of Airflow's context."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


def call_with_context(function: Callable[..., Any], argument: Any, context: Context) -> Any:
    """Call a check or a filter.

    :param argument: the response, or the list of pages.
    :param context: of which the function is given what its parameters name.
    """
    try:
        from airflow.sdk.bases.decorator import determine_kwargs
    except ImportError:  # Airflow 3.0; there the other one does not warn yet
        from airflow.utils.operator_helpers import determine_kwargs

    return function(argument, **determine_kwargs(function, [argument], context))
