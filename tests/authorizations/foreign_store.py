"""What somebody may put into the token store who can write to it, and knows no secret."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens.display_index import _PURPOSE
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.sealing import Sealer, sealer

FORGED = "forged-by-nobody-we-know"
YEAR_2100 = 4_102_444_800


def by_name(conn_id: str) -> tuple[Sealer, str]:
    """Return the sealer and the entry's name that anybody can derive from a connection's name."""
    sealing = sealer(Secret(f"\0{conn_id}"), None)
    return sealing, sealing.name(_PURPOSE, f"\0{conn_id}")


def forged_record(**changes: Any) -> bytes:
    """Return a record that says: authorized, or refused with a text that somebody made up."""
    now = time.time()
    error = {"type": "TokenEndpointError", "message": f"{FORGED}: see https://evil.example", "error": FORGED}
    status = {**Status().content(), "refused_at": now, "error": error, "permanent": True}
    content = {"fingerprint": FORGED, "at": now, "status": status, "since": now}
    return json.dumps({**content, "requests": 1, "refusals": 0, "hits": 0, **changes}).encode()


def random_json(chance: random.Random, depth: int = 0) -> Any:
    """Return any JSON value."""
    kinds: list[Callable[[], Any]] = [
        lambda: None,
        lambda: chance.random() < 0.5,
        lambda: chance.choice([0, -1, 1e308, -1e308, 10**400, float("nan"), float("inf"), time.time()]),
        lambda: chance.choice(["", "x", "\x1b[2J", "\ud800", "<b>", "TransportError", "{}", "9" * 50]),
        lambda: [random_json(chance, depth + 1) for _ in range(chance.randrange(3))],
        lambda: {chance.choice(NAMES): random_json(chance, depth + 1) for _ in range(chance.randrange(4))},
    ]
    return chance.choice(kinds[:4] if depth > 3 else kinds)()


NAMES = [
    *json.loads(forged_record()),
    *Status().content(),
    *("type", "message", "value", "token_type", "issued_at"),
]


def spoiled_record(chance: random.Random) -> bytes:
    """Return a record of which some values are anything at all."""
    content = json.loads(forged_record())
    for part in (content, content["status"], content["status"]["error"]):
        if isinstance(part, dict):
            for name in chance.sample(sorted(part), k=min(len(part), chance.randrange(3))):
                part[name] = random_json(chance)
    return json.dumps(content).encode()


def spoil(folder: Path, conn_ids: Iterable[str], chance: random.Random) -> None:
    """Overwrite every entry of a store in files."""
    entries = sorted(folder.glob("*.sealed"))
    contents = [entry.read_bytes() for entry in entries]
    for entry, content in zip(entries, contents, strict=True):
        entry.write_bytes(
            chance.choice(
                [
                    chance.randbytes(chance.randrange(200)),
                    content[:1] + chance.randbytes(chance.randrange(200)),
                    json.dumps(random_json(chance)).encode(),
                    chance.choice(contents),
                    content[: chance.randrange(len(content) + 1)],
                    bytes([*content[:-1], *(byte ^ 1 for byte in content[-1:])]),
                ]
            )
        )
    for conn_id in conn_ids:
        sealing, name = by_name(conn_id)
        if chance.random() < 0.5:
            (folder / f"{name}.sealed").write_bytes(sealing.seal(name, spoiled_record(chance)))
    for entry in folder.glob("*.sealed"):
        entry.chmod(0o600)
