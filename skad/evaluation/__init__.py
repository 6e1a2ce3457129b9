"""Detectors, and rows that none of them has seen, to a table that can be believed."""
