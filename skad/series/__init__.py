"""Tables of timestamps: borders, windows, imputation."""
