"""The picture of docs/choosing.md: three questions, drawn wide and narrow as SVG.

Colours are those of the theme, so that it is read in light and dark; texts are texts,
and what to take is a link, so that it is read aloud, too. CSS shows one of the two.
"""

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

QUESTIONS = {
    "1. What is a row?": [
        ("A window: a beat, a stroke", "convolutions + locally linear",
         "no training, best on beats", "guide/windows"),
        ("A time in a table of sensors", "sensor_pipeline()",
         "above all references on 5 of 6 sets", "api/generated/skad.sensor_pipeline"),
        ("The same, known couplings break", "LinearAutoencoder, hybrid",
         "one member instead of six", "api/generated/skad.LinearAutoencoder"),
        ("Just a row, no time", "LocallyLinearAutoencoder",
         "best on plain rows", "api/generated/skad.LocallyLinearAutoencoder"),
        ("A window, to score elsewhere", "MLPAutoencoder",
         "trained, exports to ONNX", "api/generated/skad.MLPAutoencoder"),
    ],
    "2. How long is a window?": [
        ("Cycles, or no idea", 'window="auto"',
         "the period, or 60 rows", "api/generated/skad.suggest_window_length"),
        ("Faults show within a known time", 'window="2h"',
         "that time", "guide/windows"),
        ("Few rows", "rows / 80 at most",
         "or a threshold rests on nothing", "guide/calibration"),
    ],
    "3. What is known of faults?": [
        ("Nothing", "nothing to set",
         "1 % of new normal rows flagged", "guide/calibration"),
        ("Labels for some", "FBetaThreshold",
         "or by precision, or by cost", "api/generated/skad.FBetaThreshold"),
        ("How many alerts are bearable", "AlertBudgetThreshold",
         "so many a day", "api/generated/skad.AlertBudgetThreshold"),
    ],
}  # fmt: skip


class Sheet:
    """An SVG that grows downwards."""

    def __init__(self, kind, width, link):
        self.kind, self.width, self.link, self.y, self.parts = kind, width, link, 4, []

    def text(self, x, y, text, kind):
        """Put a line of text."""
        self.parts.append(f'<text x="{x}" y="{y}" class="{kind}">{text}</text>')

    def take(self, x, y, width, name, why, target):
        """Put what to take: a box that is a link."""
        self.parts.append(
            f'<a href="{self.link(target)}">'
            f'<rect x="{x}" y="{y}" width="{width}" height="46" rx="6" class="take"/>'
        )
        self.text(x + 12, y + 20, name, "name")
        self.text(x + 12, y + 38, why, "why")
        self.parts.append("</a>")

    def line(self, path):
        """Put a line from a question to an answer."""
        self.parts.append(f'<path d="{path}" class="branch"/>')

    def __str__(self):
        return (
            f'<svg class="decision {self.kind}" viewBox="0 0 {self.width} {self.y}" '
            'role="group" aria-label="Which detector, window and rule: three questions '
            f'and what to take">{"".join(self.parts)}</svg>'
        )


def draw_wide(sheet):
    """Questions on the left, answers in the middle, what to take on the right."""
    for question, answers in QUESTIONS.items():
        middle = sheet.y + 29 * len(answers) - 6
        number, _, rest = question.partition(" ")
        sheet.text(4, middle - 6, number, "number")
        sheet.text(4, middle + 16, rest, "question")
        for answer, *take in answers:
            y = sheet.y + 23
            bend = f"C 266 {middle + 10} 256 {y} 284 {y}"
            sheet.line(f"M 244 {middle + 10} {bend} M 556 {y} H 576")
            sheet.text(292, y + 5, answer, "answer")
            sheet.take(576, y - 23, 290, *take)
            sheet.y += 58
        sheet.y += 22


def draw_narrow(sheet):
    """Each answer under its question, and what to take under the answer."""
    for question, answers in QUESTIONS.items():
        sheet.text(2, sheet.y + 18, question, "question")
        top, sheet.y = sheet.y + 28, sheet.y + 34
        for answer, *take in answers:
            sheet.line(f"M 8 {top} V {sheet.y + 12} H 20")
            sheet.text(26, sheet.y + 17, answer, "answer")
            sheet.take(26, sheet.y + 26, sheet.width - 28, *take)
            sheet.y += 86
        sheet.y += 14


class DecisionPicture(SphinxDirective):
    """Puts the picture here."""

    def run(self):
        """Draw both."""
        sheets = [Sheet("wide", 870, self.link), Sheet("narrow", 340, self.link)]
        for sheet, draw in zip(sheets, (draw_wide, draw_narrow), strict=True):
            draw(sheet)
        return [nodes.raw("", "".join(map(str, sheets)), format="html")]

    def link(self, target):
        """Return the address of a page, which must be there."""
        if target not in self.env.found_docs:
            logging.getLogger(__name__).warning("no page %s", target)
        return self.env.app.builder.get_relative_uri(self.env.docname, target)


def setup(app):
    """Tell Sphinx."""
    app.add_directive("decision-picture", DecisionPicture)
    return {"parallel_read_safe": True}
