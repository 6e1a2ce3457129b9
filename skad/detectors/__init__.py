"""Autoencoders as outlier detectors, one model a file."""
