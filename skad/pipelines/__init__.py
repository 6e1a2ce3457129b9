"""Whole pipelines, from a table as it is to labels."""
