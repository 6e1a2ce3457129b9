"""skad: autoencoders as scikit-learn outlier detectors."""

import lazy_loader

from skad import _moved
from skad._version import __version__ as __version__

# Public names are listed in __init__.pyi and imported on first use, so that metrics and
# data do not load torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_moved.install()
