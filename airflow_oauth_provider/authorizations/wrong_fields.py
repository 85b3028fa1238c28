"""All that is wrong with a connection, not only what comes first: decided here once, for page and commands.

The settings are read check after check, and the first that fails ends that. So the field that is wrong is
repaired, and all is read again, until nothing is wrong any more. A repair may itself lead to an error that
nobody has made: in place of a method that is none stands another, which needs a secret. So of a field that is
led by a repaired one only that is reported which is wrong whatever stands in the others: nobody is to be sent
to a field that is right.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.authorizations.repairs import Repairs
from airflow_oauth_provider.authorizations.storable import unstorable
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.connection.tenant import PLACEHOLDER
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError

_CREDENTIAL = frozenset({"auth_method", "external_credential"})
_KEY = _CREDENTIAL | {"private_key", "private_key_passphrase"}
_LED_BY: Mapping[str, frozenset[str]] = {
    "host": frozenset({"discovery", "port", "schema"}),
    "external_credential": frozenset({"conn_id"}),
    "login": _CREDENTIAL,
    "password": _CREDENTIAL,
    "private_key": _KEY | {"dpop", "certificate", "jwt_algorithm"},
    "private_key_passphrase": _KEY,
    "certificate": _KEY,
    "jwt_algorithm": _KEY | {"password", "dpop"},
    "jwt_audience": frozenset({"host", "discovery"}),
    "assertion_file": frozenset({"host"}),
    "base_url": frozenset({"allowed_origins"}),
    "allowed_origins": frozenset({"base_url"}),
    "probe_path": frozenset({"base_url"}),
}
"""By field: others whose repair may make it look wrong, whatever is entered in it."""


class WrongFieldsError(ConfigurationError):
    """A connection cannot be saved; nothing of it was.

    :param wrong: all that is wrong, by field or option, the error's own first; "" for what concerns none.
    """

    wrong: Mapping[str, str] = {}

    @classmethod
    def of(cls, wrong: Mapping[str, str], conn_id: str) -> WrongFieldsError:
        """Build it; a copy is built from what comes first alone."""
        field, message = next(iter(wrong.items()))
        error = cls(message, field=field or None, conn_id=conn_id)
        error.wrong = wrong
        return error

    @property
    def lines(self) -> list[str]:
        """All that is wrong, a line each."""
        rows = self.wrong.items() or [(self.field or "", self.message)]
        return [str(ConfigurationError(text, field=key or None, conn_id=self.conn_id)) for key, text in rows]


def require_right(values: ConnectionValues, policy: Policy, faults: Faults) -> None:
    """Refuse a connection of which something is known to be wrong, with all else that is.

    :raises WrongFieldsError: then.
    """
    if faults.by_field:
        wrong = wrong_fields(values, policy, faults.by_field, faults.unknown)
        raise WrongFieldsError.of(wrong, values.conn_id)


def wrong_fields(
    values: ConnectionValues, policy: Policy, known: Mapping[str, str], unknown: Collection[str] = ()
) -> dict[str, str]:
    """Return what is wrong, by field.

    :param values: of a connection that is not to be saved like this.
    :param known: what is known to be wrong, by field; it stays first.
    :param unknown: further fields of which nobody knows what is to stand in them.
    """
    wrong = dict(known)
    repairs = Repairs.of(values, policy)
    if repairs is None:
        return wrong
    for field in {*known, *unknown}:
        repairs.repair(field)
    while (error := _first_error(repairs.values, policy)) is not None:
        field = error.field or ""
        is_new = field not in repairs.repaired
        if is_new and (not _leaders(field, repairs) or _is_by_itself(error, repairs, policy)):
            wrong[field] = error.message
        if not repairs.repair(field):
            break
    return wrong | {key: text for key, text in unstorable(values).items() if key not in wrong}


def _leaders(field: str, repairs: Repairs) -> frozenset[str]:
    """Return those repaired fields that may make another one look wrong."""
    leaders, given = _LED_BY.get(field, frozenset()), repairs.entered(field)
    if leaders and given in (None, ""):  # it is missing, then: the method says whether that may be
        return _CREDENTIAL & repairs.repaired
    placed = {"tenant"} if PLACEHOLDER in str(given) else set()
    return (leaders | placed) & repairs.repaired


def _is_by_itself(error: ConfigurationError, repairs: Repairs, policy: Policy) -> bool:
    """Whether a field is wrong whatever stands in the others."""
    values = repairs.alone(error.field or "")
    alone = None if values is None else _first_error(values, policy)
    return alone is not None and (alone.field, alone.message) == (error.field, error.message)


def _first_error(values: ConnectionValues, policy: Policy) -> ConfigurationError | None:
    try:
        resolve(values, policy, thorough=False)
    except ConfigurationError as error:
        return error
    return None
