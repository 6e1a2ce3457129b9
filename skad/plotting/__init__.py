"""Display classes in the manner of scikit-learn (extra ``plot``)."""
