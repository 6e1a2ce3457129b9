"""Beyond memory, beyond one machine, and row by row."""
