"""One connection on the caller's side: read, mask, ask, report."""
