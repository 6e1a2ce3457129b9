"""How Sphinx builds these pages: `python -m sphinx -W -b html docs docs/_build`."""

import os
import sys
import warnings
from pathlib import Path

import skad

sys.path.append(str(Path(__file__).parent / "_extensions"))

project = "skad"
author = "the skad developers"
copyright = author
release = version = skad.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "as_written",
    "mathml",
    "decision_picture",
]
exclude_patterns = ["_build", "_templates", "gallery/*.ipynb"]
templates_path = ["_templates"]
smartquotes = False  # "auto" is typed with plain quotes
toc_object_entries_show_parents = "hide"
highlight_language = "none"  # of blocks that do not say: figures, commands
default_role = "literal"  # single backticks in docstrings, as in scikit-learn

# Every reference must lead somewhere. Names of other projects cannot, as no inventory
# is fetched: the build needs no network. Their packages are listed here.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(sklearn|skorch|torch|pandas|numpy|matplotlib|scipy)\..*"),
]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Types stand in the docstrings, in words; signatures of 30 annotations cannot be read.
autodoc_typehints = "none"
autosummary_generate = True
extlinks = {
    "doi": ("https://doi.org/%s", "doi:%s"),
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
}
numpydoc_show_class_members = False  # _templates/autosummary/class.rst lists them

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Stories show the warnings that they cause, without the paths of this machine.
warnings.formatwarning = lambda text, kind, *_, **__: f"{kind.__name__}: {text}\n"

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "backreferences_dir": "gallery/of_names",
    "doc_module": ("skad",),
    "reference_url": {"skad": None},
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "ignore_repr_types": r"(skad\.plotting|matplotlib)\.",  # their pictures are shown
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "remove_config_comments": True,
}

html_title = "skad"
html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_context = {"default_mode": "auto"}  # light or dark, as the system is
html_static_path = ["_static"]
html_css_files = ["skad.css"]
html_favicon = "_static/logo.svg"
html_use_index = False  # the reference and the search are better
html_copy_source = html_show_sourcelink = False
html_sidebars = {
    page: [] for page in ("index", "choosing", "coming_from/*", "glossary", "whats_new")
}
html_theme_options = {
    "logo": {
        "text": "skad",
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
        "alt_text": "Home",
    },
    "github_url": "https://github.com/skad-dev/skad",
    "header_links_before_dropdown": 9,
    "navbar_align": "left",
    "show_toc_level": 2,
    "show_nav_level": 1,
    # Both reach the contrast of WCAG AAA.
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}

# Where pages are published, publish.py lists their versions. Elsewhere there is no such
# list, and pages ask no host for it.
if "SKAD_PAGES" in os.environ:
    html_theme_options |= {
        "switcher": {
            "json_url": "https://skad-dev.github.io/skad/switcher.json",
            "version_match": os.environ["SKAD_PAGES"],
        },
        "check_switcher": False,
        "navbar_end": ["version-switcher", "theme-switcher", "navbar-icon-links"],
    }
