"""What servers say of proofs: by role and origin, and never mixed."""

from __future__ import annotations

import threading

import pytest

from airflow_oauth_provider.protocol.dpop.server_hints import MOST_SERVERS, Hint, Role, ServerHints

AS = ("client", Role.AUTHORIZATION_SERVER, "https://one.example")
API = ("client", Role.API, "https://one.example")


@pytest.fixture
def hints() -> ServerHints:
    return ServerHints()


def test_nonces_of_two_roles_are_two(hints: ServerHints) -> None:
    assert hints.learn_nonce(AS, ["a"])
    assert hints.learn_nonce(API, ["b"])
    assert (hints.of(AS).nonce, hints.of(API).nonce) == ("a", "b")
    assert hints.of(("other client", Role.API, "https://one.example")) == Hint()
    assert hints.of(("client", Role.API, "https://two.example")) == Hint()


@pytest.mark.fault("H13")
@pytest.mark.parametrize("nonces", [[], ["a", "b"], ["a, b"], [""], ["a\nb"], ['a"b'], ["é"], ["x" * 4000]])
def test_what_is_no_nonce_is_not_kept(hints: ServerHints, nonces: list[str]) -> None:
    hints.learn_nonce(API, ["before"])
    assert not hints.learn_nonce(API, nonces)
    assert not hints.learn(API, nonces, errors=["use_dpop_nonce"])
    assert hints.of(API).nonce == "before"


def test_a_nonce_that_is_asked_for_improves_the_proof(hints: ServerHints) -> None:
    assert hints.learn(API, ["n"], errors=["use_dpop_nonce"])
    assert hints.learn(API, ["m"], errors=["use_dpop_nonce"]), "it changes with every response"
    assert not hints.learn(API, ["o"], errors=["invalid_token"]), "it is not the proof that was refused"
    assert hints.of(API).nonce == "o"


@pytest.mark.fault("K08")
@pytest.mark.parametrize("skew, improves", [(29.0, False), (-29.0, False), (31.0, True), (-3600.0, True)])
def test_another_clock_improves_the_proof(hints: ServerHints, skew: float, improves: bool) -> None:
    assert hints.learn(API, [], errors=["invalid_dpop_proof"], skew=skew) is improves
    assert hints.of(API).ahead == (skew if improves else 0.0)
    assert not hints.learn(API, [], errors=["invalid_dpop_proof"], skew=skew), "it knew that already"


@pytest.mark.fault("K08")
def test_a_clock_that_was_set_right(hints: ServerHints) -> None:
    hints.learn(API, [], errors=["invalid_dpop_proof"], skew=90.0)
    assert hints.learn(API, [], errors=["invalid_dpop_proof"], skew=2.0)
    assert hints.of(API).ahead == 0.0


def test_other_refusals_say_nothing_of_the_clock(hints: ServerHints) -> None:
    assert not hints.learn(API, [], errors=["invalid_token"], skew=500.0)
    assert hints.of(API) == Hint()


def test_the_number_of_servers_is_bounded(hints: ServerHints) -> None:
    for number in range(3 * MOST_SERVERS):
        hints.learn_nonce(("client", Role.API, f"https://{number}.example"), ["n"])
    assert len(hints._hints) <= MOST_SERVERS
    assert hints.of(("client", Role.API, f"https://{3 * MOST_SERVERS - 1}.example")).nonce == "n"


def test_those_that_have_said_something_last_stay(hints: ServerHints) -> None:
    servers = [("client", Role.API, f"https://{number}.example") for number in range(MOST_SERVERS)]
    for server in [*servers, servers[0]]:
        hints.learn_nonce(server, ["n"])
    assert all(hints.of(server).nonce == "n" for server in servers)
    hints.learn_nonce(AS, ["n"])
    assert hints.of(servers[0]).nonce == "n"
    assert hints.of(servers[1]) == Hint()
    hints.clear()
    assert hints.of(AS) == Hint()


def test_any_number_of_threads(hints: ServerHints) -> None:
    failures: list[Exception] = []

    def learn(thread: int) -> None:
        try:
            for number in range(2000):
                server = ("client", Role.API, f"https://{thread}-{number % 700}.example")
                hints.learn(server, [str(number)], errors=["use_dpop_nonce"], skew=float(number))
                hints.of(server)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=learn, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
