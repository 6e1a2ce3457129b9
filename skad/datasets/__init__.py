"""Synthetic data, and readers for files that a user has."""
