"""The version of skad."""

__version__ = "0.2.0"
