"""Reconstruction residuals to one error a timestep and one a window."""
