"""Labels and scores to figures, and scorers for model selection."""
