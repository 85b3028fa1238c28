"""What operator and sensor share."""
