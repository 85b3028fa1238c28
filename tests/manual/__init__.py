"""What of the manual is written from the code."""
