"""Texts: large enough to be read however long they are, cut in the middle to fit."""

import textwrap

# Points below which a text is not shrunk, unless the style in force is smaller.
_READABLE = 7.0

# Where names are cut, as the share of letters kept before the cut: the first that
# leaves different names different.
_CUTS = (0.5, 0.3, 0.7, 0.0, 1.0)
_DOTS = "\N{HORIZONTAL ELLIPSIS}"


def points(size) -> float:
    """Font size in points, from a word such as "small"; one that can be read."""
    from matplotlib.font_manager import FontProperties

    wanted, usual = (
        FontProperties(size=one).get_size_in_points() for one in (size, "medium")
    )
    return max(wanted, min(_READABLE, usual))


def text_width(text, size) -> float:
    """Width in points of the longest line of a text."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size)
    widths = [
        text_to_path.get_text_width_height_descent(line, font, ismath=False)[0]
        for line in text.splitlines()
    ]
    # drawn text is hinted, and may be a little wider
    return 1.05 * max(widths, default=0.0)


def fit_texts(texts, space, size="small") -> tuple[list[str], float]:
    """Texts and font size at which each fits a space in inches.

    The size shrinks to what can be read, then texts lose their middles.
    """
    wanted, smallest = points(size), points(1)
    width = max((text_width(text, wanted) for text in texts), default=0.0)
    size = wanted if width <= 72 * space else wanted * 72 * space / width
    if size >= smallest:
        return list(texts), size
    return shorten(texts, 72 * space, smallest), smallest


def wrap(text, space, size="small") -> tuple[str, float]:
    """Text in as many lines as a space in inches asks for, and its font size."""
    wanted, smallest = points(size), points(1)
    width = text_width(text, wanted) / 72
    if width <= space:
        return text, wanted
    if width * smallest / wanted <= space:
        return text, wanted * space / width
    n_letters = int(len(text) * space / width)
    return textwrap.fill(text, max(1, n_letters)), wanted


def shorten(texts, width, size) -> list[str]:
    """Cut the middle out of texts wider than so many points; others stay.

    Different texts stay different, if need be by their number.
    """
    rooms = {text: _letters(text, width, size) for text in texts}
    for share in _CUTS:
        short = {text: _cut(text, room, share) for text, room in rooms.items()}
        if len(set(short.values())) < len(short):
            continue
        for text, room in rooms.items():
            while room > 0 and text_width(short[text], size) > width:
                room -= 1  # some letters are wider than others
                short[text] = _cut(text, room, share)
        if len(set(short.values())) == len(short):
            return [short[text] for text in texts]
    for place, (text, room) in enumerate(rooms.items()):
        number = f"{_DOTS}{place}"
        is_whole = room >= len(text)
        short[text] = text if is_whole else text[: max(0, room - 2)] + number
    return [short[text] for text in texts]


def _letters(text, width, size) -> int:
    """How many letters of a text fit, beside the dots if not all do."""
    whole = text_width(text, size)
    if whole <= width:
        return len(text)
    return max(0, int(len(text) * (width - text_width(_DOTS, size)) / whole))


def _cut(text, n_letters, share) -> str:
    """Keep so many letters, a share of them from the start, the others from the end."""
    if n_letters >= len(text):
        return text
    n_before = round(share * n_letters)
    return text[:n_before] + _DOTS + text[len(text) - n_letters + n_before :]
