"""What ``airflow oauth2 presets`` shows."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.connection.presets import Preset


def preset_row(preset: Preset) -> dict[str, Any]:
    """Return a preset as a row of the list."""
    needs = ["--tenant"] if preset.tenant else []
    needs += [] if preset.host else ["--token-url or --discovery"]
    needs += [f"--set {key}" for key in preset.asks]
    return {"preset": preset.name, "api": preset.title, "needs": ", ".join(needs) or "nothing more"}


def preset_facts(preset: Preset) -> dict[str, Any]:
    """Return all that is known of one."""
    facts = {
        "Preset": preset.name,
        "API": preset.title,
        "Command": preset.command,
        "Access token URL": preset.host or "yours",
        "--tenant": preset.tenant,
        **{f"--set {key}": hint for key, hint in preset.asks.items()},
        **preset.extra,
        "Notes": preset.notes or None,
        "From": f"{preset.link} ({preset.checked})",
    }
    return {name: value for name, value in facts.items() if value is not None}
