"""Servers that we did not write: what each offers, by which method, and what became of it.

A cell of the tables is an ordinary test. ``make interop`` runs them all and prints the tables;
``docs/interoperability.md`` shows them, and each cell compares itself with that page.
"""
