"""The option table as it stands in help/configuration.md. `python -m mountnd.cli.help_table` writes it there anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..config.options import OPTIONS, Option

PAGE = Path(__file__).parent.parent / "help" / "configuration.md"
_BEGIN, _END = "<!-- options: made by python -m mountnd.cli.help_table -->\n", "<!-- end of options -->\n"


def markdown() -> str:
    """The table, one line an option."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| option | variable | TOML key | default | what |"
    yield "|---|---|---|---|---|"
    for option in OPTIONS:
        key = f"`{option.name}`" if option.in_file else ""
        default = option.default_text.replace("|", "\\|")
        yield f"| {_flag(option)} | `{option.variable}` | {key} | {default} | {option.help} |"


def _flag(option: Option) -> str:
    flag = f"--[no-]{option.flag[2:]}" if not option.kind.metavar and not option.kind.counts else option.flag
    value = f" {option.kind.metavar}".replace("|", "\\|") if option.kind.metavar else ""
    return f"`{option.short}`, `{flag}{value}`" if option.short else f"`{flag}{value}`"


def inserted(page: str) -> str:
    """`page` with the table between its marks. Raises ValueError without them."""
    head, begin, rest = page.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError("the page has no marks for the table")
    return f"{head}{begin}{markdown()}{end}{tail}"


if __name__ == "__main__":
    PAGE.write_text(inserted(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
