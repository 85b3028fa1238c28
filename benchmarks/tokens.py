"""What a token from memory costs, and how many requests a cold start of many threads makes."""

from __future__ import annotations

import json
import os
import statistics
import threading
import timeit
import warnings

warnings.simplefilter("ignore")

from benchmarks.harness import Report, Server, server  # noqa: E402

CALLS = 1000
THREADS = 16


def main(where: Server) -> None:
    import logging

    logging.disable(logging.INFO)
    os.environ["AIRFLOW_CONN_BENCH"] = json.dumps(where.connection())
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    report = Report("Tokens")
    hooks = [OAuth2Hook("bench") for _ in range(THREADS)]
    barrier = threading.Barrier(THREADS)

    def work(hook: OAuth2Hook) -> None:
        barrier.wait()
        for _ in range(CALLS // THREADS + 1):
            hook.get_token()

    threads = [threading.Thread(target=work, args=(hook,)) for hook in hooks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report.figure(
        f"token requests of {THREADS} threads starting cold, {CALLS} calls", where.counts()["token"], 1
    )

    timed = {
        "get_token": timeit.Timer("get_token()", globals={"get_token": hooks[0].get_token}),
        "clocks": timeit.Timer("time.time(); time.monotonic()", "import time"),
    }
    ratios, seconds = [], []
    for _ in range(15):
        taken = {name: timer.timeit(100_000) for name, timer in timed.items()}
        ratios.append(taken["get_token"] / taken["clocks"])
        seconds.append(taken["get_token"] / 100_000 * 1e6)
    report.figure("a cached get_token()", statistics.median(seconds), None, " µs")
    credential = hooks[0].credential()
    lent = timeit.Timer("get_token('own')", globals={"get_token": credential.get_token})
    lent.timeit(1)  # its first token is asked for
    scoped = [lent.timeit(20_000) / 20_000 * 1e6 for _ in range(15)]
    more = statistics.median(scoped) - statistics.median(seconds)
    report.figure("a cached token by scopes of the call, more than that", more, 3.0, " µs")
    report.figure("a cached get_token() / reading both clocks", statistics.median(ratios), 2.5)
    report.end()


if __name__ == "__main__":
    with server(latency=0.25) as running:
        main(running)
