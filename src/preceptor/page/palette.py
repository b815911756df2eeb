"""The colours of every page and picture, in light and in dark, and what each is for; docs/style.md has the rules."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Palette:
    """Colours as #rrggbb.

    Args:
        paper, sheet: behind text; behind a box on the paper.
        rule: of fine lines that only separate or guide.
        ink, quiet: of text; of text that explains. Both have a contrast of 4.5 on paper and sheet.
        blue, vermilion, green, purple: of what is drawn, in this order; 3 on the paper, and 10 steps of OKLab (in
            hundredths) apart from each other and from the ink, for eyes without red, green or blue cones too.
        good, warn, bad: of a verdict's sign and word; 4.5 on paper and sheet.
    """

    paper: str
    sheet: str
    rule: str
    ink: str
    quiet: str
    blue: str
    vermilion: str
    green: str
    purple: str
    good: str
    warn: str
    bad: str

    @property
    def series(self) -> tuple[str, ...]:
        """The colours of lines, the first first; a fifth line takes the ink."""
        return self.blue, self.vermilion, self.green, self.purple


LIGHT = Palette(
    paper="#ffffff",
    sheet="#f6f6f3",
    rule="#d9d9d4",
    ink="#1c1d1f",
    quiet="#5a6068",
    blue="#1d57b8",
    vermilion="#c2520f",
    green="#0f8f70",
    purple="#5e1f66",
    good="#0b6e56",
    warn="#8a5a00",
    bad="#b3261e",
)
DARK = Palette(
    paper="#15171a",
    sheet="#1e2125",
    rule="#3a3e44",
    ink="#e9e7e2",
    quiet="#a8adb4",
    blue="#5c9dff",
    vermilion="#ef7a33",
    green="#93d1ad",
    purple="#a674b5",
    good="#6fc7a4",
    warn="#e0b04a",
    bad="#ff8a7a",
)


def palette_css() -> str:
    """The colours as properties of CSS: `var(--ink)` and so on. Dark where the reader's screen is; light in print."""
    light, dark = (";".join(f"--{name}:{value}" for name, value in asdict(each).items()) for each in (LIGHT, DARK))
    return (
        f":root{{color-scheme:light dark;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}@media print{{:root{{color-scheme:light}}}}"
    )
