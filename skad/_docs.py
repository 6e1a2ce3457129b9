"""Sections of docstrings that classes or functions share, written once."""

import re
from collections.abc import Callable
from dataclasses import Field
from inspect import cleandoc, signature
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable)

_FIRST = ("", "Parameters", "Attributes", "Returns", "Raises")
_HEADING = re.compile(r"^([A-Z][\w ]*)\n-+\n", re.MULTILINE)
_ENTRY = re.compile(r"^(?=\S)", re.MULTILINE)  # names stand at the margin
_BROKEN_LINE = re.compile(r"(?<=\S) {2,}")  # by a backslash in the source
_DEFAULT = re.compile(r"default=(.*)$")


def inherit_sections(cls, root) -> None:
    """Append parameters and attributes of the base of a class to its docstring.

    The base is the nearest one below `root` that has a docstring. An entry that the
    class writes itself stays as it is. Inherited defaults become those of the class.
    """
    bases = (b for b in cls.__mro__[1:] if issubclass(b, root) and b.__doc__)
    base = next(bases, None)  # none under python -OO
    if base is None or not cls.__doc__:
        return
    sections, shared = _sections(cls.__doc__), _sections(base.__doc__)
    for title in ("Parameters", "Attributes"):
        own = _entries(sections.get(title, ""))
        inherited = {
            name: _with_default(entry, name, cls, base)
            for name, entry in _entries(shared.get(title, "")).items()
            if name not in own
        }
        sections[title] = "\n".join((own | inherited).values())
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


def _with_default(entry, name, cls, base) -> str:
    """Write the default of a class into an entry of its base, where they differ."""
    default, inherited = _default_of(cls, name), _default_of(base, name)
    if repr(default) == repr(inherited):
        return entry
    written = f'"{default}"' if isinstance(default, str) else repr(default)
    header, *text = entry.split("\n")
    return "\n".join([_DEFAULT.sub(lambda _: f"default={written}", header), *text])


def _default_of(cls, name) -> Any:
    default = getattr(cls, name, None)
    return default.default if isinstance(default, Field) else default


def _section(title, body) -> str:
    return f"{title}\n{'-' * len(title)}\n{body}" if title else body
