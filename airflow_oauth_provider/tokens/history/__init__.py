"""What became of a connection's tokens over time, for displays only.

Processes append small sealed deltas and read nothing; who displays the history merges them into one
entry of at most 64 KiB a connection.
"""
