"""skad: autoencoders as scikit-learn outlier detectors."""

import lazy_loader

from skad import _moved
from skad._version import __version__ as __version__

# Public names stand in __init__.pyi. They are imported when they are first used, so
# that metrics and data load no torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_moved.install()
