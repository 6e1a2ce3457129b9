"""Scores, and labels where there are any, to a threshold."""
