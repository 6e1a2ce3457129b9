"""Sections of docstrings that classes or functions share, written once."""

import ast
import re
from collections.abc import Callable
from dataclasses import Field
from inspect import cleandoc, signature
from typing import TypeVar

F = TypeVar("F", bound=Callable)

_HEADING = re.compile(r"^([A-Z][\w ]*)\n-+\n", re.MULTILINE)
_ENTRY = re.compile(r"^(?=\S)", re.MULTILINE)  # names stand at the margin
_BROKEN_LINE = re.compile(r"(?<=\S) {2,}")  # by a backslash in the source
_DEFAULT = re.compile(r"default=(.*)$")


def inherit_sections(cls, base) -> None:
    """Append the parameters and attributes of a base to the docstring of a class.

    An entry that the class writes itself stays as it is. Defaults become those of the
    class.
    """
    if not cls.__doc__:
        return
    sections, shared = _sections(cls.__doc__), _sections(base.__doc__)
    for title in ("Parameters", "Attributes"):
        own = _entries(sections.get(title, ""))
        inherited = _entries(shared[title])
        merged = own | {n: e for n, e in inherited.items() if n not in own}
        sections[title] = "\n".join(_with_default(e, n, cls) for n, e in merged.items())
    first = ("", "Parameters", "Attributes")
    titles = [*first, *(title for title in sections if title not in first)]
    cls.__doc__ = "\n\n".join(_section(title, sections[title]) for title in titles)


def add_parameters(shared: str) -> Callable[[F], F]:
    """Decorate a function: add shared entries to the parameters in its docstring.

    An entry that the function writes itself stays as it is. A section "Raises" of the
    shared text is added as well, before the errors that the function writes itself.
    """
    shared_sections = {"Raises": ""} | _sections(shared)

    def decorate(function):
        if function.__doc__:
            sections = dict.fromkeys(("", "Parameters", "Returns", "Raises"), "")
            sections |= _sections(function.__doc__)
            entries = _entries(shared_sections[""]) | _entries(sections["Parameters"])
            names = [n for n in signature(function).parameters if n in entries]
            sections["Parameters"] = "\n".join(entries[name] for name in names)
            raises = f"{shared_sections['Raises']}\n{sections['Raises']}"
            sections["Raises"] = raises.strip()
            bodies = (_section(title, body) for title, body in sections.items() if body)
            function.__doc__ = "\n\n".join(bodies)
        return function

    return decorate


def _sections(doc) -> dict[str, str]:
    """Split a docstring into bodies by their titles; the summary has the title ""."""
    summary, *rest = _HEADING.split(cleandoc(doc))
    bodies = dict(zip(rest[::2], rest[1::2], strict=True))
    return {title: body.strip() for title, body in ({"": summary} | bodies).items()}


def _entries(body) -> dict[str, str]:
    """Split a section into entries by the names they describe."""
    body = _BROKEN_LINE.sub(" ", body)
    entries = [entry.rstrip() for entry in _ENTRY.split(body) if entry.strip()]
    return {entry.split(" : ")[0]: entry for entry in entries}


def _with_default(entry, name, cls) -> str:
    """Write the default of a class into the entry of a parameter."""
    header, *text = entry.split("\n")
    if match := _DEFAULT.search(header):
        default = getattr(cls, name)
        default = default.default if isinstance(default, Field) else default
        if ast.literal_eval(match[1]) != default:
            written = f'"{default}"' if isinstance(default, str) else repr(default)
            header = f"{header[: match.start(1)]}{written}"
    return "\n".join([header, *text])


def _section(title, body) -> str:
    return f"{title}\n{'-' * len(title)}\n{body}" if title else body
