"""Labels and scores to figures, and scorers for model selection.

What holds for all of them (no anomaly, no prediction, ties, several series) is written
in docs/measured/metrics.md, with what random scores get.
"""
