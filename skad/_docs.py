"""Sections of docstrings that classes or functions share, written once."""

import ast
import re
from collections.abc import Callable
from dataclasses import Field
from inspect import cleandoc, signature
from typing import TypeVar

F = TypeVar("F", bound=Callable)

_FIRST = ("", "Parameters", "Attributes", "Returns", "Raises")
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
    _rewrite(cls, sections)


def add_parameters(shared: str) -> Callable[[F], F]:
    """Decorate a function or dataclass: add shared entries to its parameters.

    An entry that is written there already stays as it is. Sections with a title in the
    shared text, such as "Raises", come before what is written there.
    """
    titled = _sections(shared)
    described = _entries(titled.pop(""))

    def decorate(function):
        if function.__doc__:
            sections = _sections(function.__doc__)
            entries = described | _entries(sections.get("Parameters", ""))
            places = {_first_name(names): entry for names, entry in entries.items()}
            kept = [places[n] for n in signature(function).parameters if n in places]
            sections["Parameters"] = "\n".join(kept)
            for title, body in titled.items():
                sections[title] = f"{body}\n{sections.get(title, '')}".strip()
            _rewrite(function, sections)
        return function

    return decorate


def add_entries(**shared: str) -> Callable[[F], F]:
    """Decorate a function or class: append shared entries to sections, by title."""

    def decorate(thing):
        if thing.__doc__:
            sections = _sections(thing.__doc__)
            for title, text in shared.items():
                sections[title] = f"{sections.get(title, '')}\n{cleandoc(text)}".strip()
            _rewrite(thing, sections)
        return thing

    return decorate


def _rewrite(thing, sections) -> None:
    ordered = dict.fromkeys(_FIRST, "") | sections
    bodies = [_section(title, body) for title, body in ordered.items() if body]
    thing.__doc__ = "\n\n".join(bodies)


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


def _first_name(names) -> str:
    """Return the first of the names that an entry describes together."""
    return names.split(",")[0].lstrip("*")


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
