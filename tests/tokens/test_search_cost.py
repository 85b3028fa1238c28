from __future__ import annotations

import pytest

from airflow_oauth_provider.tokens.search_cost import SearchCost, Source


def test_at_first_it_came_from_memory_for_nothing() -> None:
    cost = SearchCost()
    assert (cost.source, cost.requests, cost.retries, cost.kept) == (Source.MEMORY, 0, 0, False)


@pytest.mark.parametrize(
    ("searches", "source", "requests", "retries"),
    [
        ([(0, True)], Source.STORE, 0, 0),
        ([(1, True)], Source.REQUEST, 1, 0),
        ([(4, True)], Source.REQUEST, 4, 3),
        ([(4, False)], Source.FLIGHT, 0, 0),
        ([(1, True), (2, True)], Source.REQUEST, 3, 2),
        ([(2, True), (3, False)], Source.FLIGHT, 2, 1),
    ],
    ids=["store", "request", "retries", "another's", "two", "own-then-another's"],
)
def test_what_a_caller_counts(
    searches: list[tuple[int, bool]], source: Source, requests: int, retries: int
) -> None:
    cost = SearchCost()
    for made, own in searches:
        cost.searched(made, own=own, asked=True)
    assert (cost.source, cost.requests, cost.retries) == (source, requests, retries)
