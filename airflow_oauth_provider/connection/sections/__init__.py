"""The table of the connection's fields, section by section of the form."""
