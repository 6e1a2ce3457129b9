"""The version of skad."""

__version__ = "0.1.0"
