"""What servers have said to this process about the proofs that they accept, for flights and calls alike."""

from __future__ import annotations

from airflow_oauth_provider.protocol.dpop.server_hints import ServerHints

hints = ServerHints()
