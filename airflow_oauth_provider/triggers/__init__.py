"""Triggers: what runs in the triggerer while a task waits."""
