"""Docstrings and pages as they are written: what becomes a link, what is shown."""

import inspect
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx_gallery.directives import imgsgnode

import skad

NO_LINKS = (
    nodes.reference,
    nodes.title,
    addnodes.pending_xref,
    addnodes.desc_signature,
)


class LinkPublicNames(SphinxTransform):
    """Turn `LinearAutoencoder(4)` in the text of any page into a link to its page."""

    default_priority = 210  # after roles, before references are resolved

    def apply(self, **options):
        """Wrap literals that begin with a public name."""
        for literal in list(self.document.findall(nodes.literal)):
            match = re.fullmatch(
                r"(?:skad\.)?(\w+)(\(.*\))?", literal.astext(), re.DOTALL
            )
            if match is None or match[1] not in skad.__all__:
                continue
            page = self.env.docname.rpartition("/")[2]
            if page == f"skad.{match[1]}" or _inside(literal, NO_LINKS):
                continue
            link = addnodes.pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=f"skad.{match[1]}",
                refdoc=self.env.docname,
                refwarn=True,
            )
            literal.replace_self(link)
            link += literal


class KeepNumbersWhole(SphinxTransform):
    """Mark cells of tables that hold numbers alone, which must not be broken."""

    default_priority = 210

    def apply(self, **options):
        """Give them a class."""
        for entry in self.document.findall(nodes.entry):
            if re.fullmatch(r"[\d.,;/%±¹ -]+", entry.astext()):
                entry["classes"].append("number")


class RoomForPictures(SphinxTransform):
    """Let wide pictures scroll by themselves, so that labels stay large on phones."""

    default_priority = 210

    def apply(self, **options):
        """Put each picture into a box."""
        pictures = self.document.findall(
            lambda node: isinstance(node, (nodes.image, imgsgnode))
        )
        for picture in list(pictures):
            if "thumb" in picture["uri"]:
                continue
            box = nodes.container(classes=["picture"])
            picture.replace_self(box)
            box += picture


def _inside(node, kinds):
    while node := node.parent:
        if isinstance(node, kinds):
            return True
    return False


def skip_members_of_others(app, what, name, obj, skip, options):
    """Leave out what scikit-learn's base classes bring; its own pages tell it."""
    inner = obj.fget if isinstance(obj, property) else inspect.unwrap(obj)
    home = getattr(inner, "__module__", None) or ""
    return skip or (what == "class" and not home.startswith("skad"))


def escape_plain_words(app, what, name, obj, options, lines):
    """Keep `mean_` and `|x|` in docstrings from being read as markup."""
    for i, line in enumerate(lines):
        if line.lstrip().startswith((">>>", "...", "..")):
            continue
        parts = re.split(r"(`+[^`]+`+)", line)  # every other one is a literal
        parts[::2] = (
            re.sub(r"(\w)_(?![\w{])", r"\1\\_", part).replace("|", r"\|")
            for part in parts[::2]
        )
        lines[i] = "".join(parts)


def setup(app):
    """Tell Sphinx."""
    app.add_transform(LinkPublicNames)
    app.add_transform(KeepNumbersWhole)
    app.add_transform(RoomForPictures)
    app.connect("autodoc-skip-member", skip_members_of_others)
    # after numpydoc, which is there at 500
    app.connect("autodoc-process-docstring", escape_plain_words, priority=600)
    return {"parallel_read_safe": True}
