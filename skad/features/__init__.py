"""Windows to windows, or to features of windows."""
