"""The option table as it stands in help/configuration.md; `python -m mountnd.cli.options_page` updates it there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..config.option_types import Option
from ..config.options import OPTIONS

CONFIGURATION_PAGE = Path(__file__).parent.parent / "help" / "configuration.md"
_BEGIN, _END = "<!-- options: made by python -m mountnd.cli.options_page -->\n", "<!-- end of options -->\n"


def markdown() -> str:
    """The table, one line an option."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| option | variable | TOML key | default | what |"
    yield "|---|---|---|---|---|"
    for option in OPTIONS:
        key = f"`{option.name}`" if option.in_file else ""
        default = option.default_text.replace("|", "\\|")
        yield f"| {_code(option)} | `{option.variable}` | {key} | {default} | {option.help} |"


def _code(option: Option) -> str:
    return ", ".join(f"`{word}`" for word in flag(option).replace("|", "\\|").split(", "))


def flag(option: Option) -> str:
    """How the flag is written: `-v, --verbose`, `--ttl SECONDS|indefinite`, `--[no-]probe`."""
    long = option.flag if option.kind.metavar or option.kind.counts else f"--[no-]{option.flag[2:]}"
    value = f" {option.kind.metavar}" if option.kind.metavar else ""
    return f"{option.short}, {long}{value}" if option.short else f"{long}{value}"


def with_table(page: str) -> str:
    """`page` with the table between its markers. Raises ValueError without them."""
    head, begin, rest = page.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError("the page has no markers for the table")
    return f"{head}{begin}{markdown()}{end}{tail}"


if __name__ == "__main__":
    CONFIGURATION_PAGE.write_text(with_table(CONFIGURATION_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
