from __future__ import annotations

import pytest

from airflow_oauth_provider.connection.field_kinds import Field, Kind


@pytest.mark.parametrize("kind", Kind)
def test_which_kinds_are_secret(kind: Kind) -> None:
    assert Field("key", "section", "Label", "help", kind).secret is ("secret" in kind.value)


def test_a_field_is_bare_unless_said_otherwise() -> None:
    entry = Field("key", "section", "Label", "help")
    assert (entry.kind, entry.default, dict(entry.choices)) == (Kind.STRING, None, {})
    assert (entry.minimum, entry.maximum, entry.above) == (None, None, None)
    with pytest.raises(TypeError):
        entry.choices["x"] = "y"  # type: ignore[index]
