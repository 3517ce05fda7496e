"""`make screenshots`: each view of `mountnd` as an image, at three widths, dark and light, in screenshots/ (for eyes).

`python -m tests.screenshots [NAME...]`: all views, or those of `tests/support/views.py` whose names begin so. An SVG as
rich exports it, and beside it a PNG, for viewers that know no SVG.
"""

from __future__ import annotations

import io
import shlex
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, MONOKAI, TerminalTheme
from rich.text import Text

from .support import terminal, views
from .support.cli import ROOT
from .support.terminal import Call, Seen

OUT = ROOT / "screenshots"
THEMES = {"dark": MONOKAI, "light": DEFAULT_TERMINAL_THEME}
FONTS = Path("/usr/share/fonts/truetype/dejavu")
FONT_PX, MARGIN = 15, 12


def main(wanted: list[str]) -> None:
    """Draw the views whose names begin with one of `wanted`; all of them when it is empty."""
    OUT.mkdir(exist_ok=True)
    names = [name for name in views.VIEWS if not wanted or name.startswith(tuple(wanted))]
    with tempfile.TemporaryDirectory(prefix="mountnd-views-") as tmp, views.place(Path(tmp).resolve()) as place:
        keys = [(name, width) for name in names for width in views.WIDTHS]
        calls = [Call(shlex.split(views.VIEWS[name].format(**place.words)), width) for name, width in keys]
        for (name, width), call, seen in zip(keys, calls, terminal.run(calls, place.env), strict=True):
            for theme in THEMES:
                draw(OUT / f"{name}-{width}-{theme}", f"mountnd {shlex.join(call.words)}", seen, width, THEMES[theme])
    print(f"{len(keys) * len(THEMES)} images of {len(names)} views in {OUT}")


def draw(path: Path, title: str, seen: Seen, width: int, theme: TerminalTheme) -> None:
    """Write `path`.svg and `path`.png."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="standard")
    text = Text.from_ansi(seen.coloured)
    lines = console.render_lines(text, pad=False)
    console.print(text)
    console.save_svg(str(path.with_suffix(".svg")), title=title, theme=theme)
    picture(lines, width, theme).save(path.with_suffix(".png"))


def picture(lines: list[list[Segment]], width: int, theme: TerminalTheme) -> Image.Image:
    """The lines as a terminal of `width` columns shows them."""
    plain, bold = (_font(name) for name in ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"))
    cell, high = max(1, round(plain.getlength("M"))), FONT_PX + 4
    image = Image.new("RGB", (width * cell + 2 * MARGIN, len(lines) * high + 2 * MARGIN), tuple(theme.background_color))
    pen = ImageDraw.Draw(image)
    pen.line([(MARGIN + width * cell, 0), (MARGIN + width * cell, image.height)], fill=(128, 128, 128))
    for row, line in enumerate(lines):
        at = 0
        for segment in line:
            style = segment.style or Style()
            colour = list(style.color.get_truecolor(theme) if style.color else theme.foreground_color)
            if style.dim:
                colour = [(a + b) // 2 for a, b in zip(colour, theme.background_color, strict=True)]
            for char in segment.text.rstrip("\n"):
                where = (MARGIN + at * cell, MARGIN + row * high)
                pen.text(where, char, fill=tuple(colour), font=bold if style.bold else plain)
                at += cell_len(char)
    return image


def _font(name: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype(str(FONTS / name), FONT_PX)
    except OSError:  # not installed here: Pillow's own, which is not as wide everywhere
        return ImageFont.load_default(FONT_PX)


if __name__ == "__main__":
    main(sys.argv[1:])
