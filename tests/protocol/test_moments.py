from __future__ import annotations

from airflow_oauth_provider.protocol.moments import Budget, Moment

STARTED = Moment(1_700_000_000.0, 50.0)


def test_a_budget_counts_on_the_clock_that_never_jumps() -> None:
    budget = Budget.of(STARTED, 60.0)
    assert (budget.until, budget.seconds) == (110.0, 60.0)
    assert budget.left(50.0) == 60.0
    assert budget.left(109.5) == 0.5


def test_when_it_is_over_less_than_nothing_is_left() -> None:
    assert Budget.of(STARTED, 1.0).left(53.0) == -2.0
    assert Budget.of(STARTED, 0.0).left(50.0) == 0.0
