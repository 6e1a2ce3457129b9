"""Model files that open without pickle, and export to ONNX."""
