"""From scores of windows that were not learnt to a threshold."""
