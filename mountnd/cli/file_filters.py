"""Options that say which files a verb means: by BIDS names, patterns, or a list of paths."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from ..errors import UsageError
from .flags import Function, TableCommand, complete_word

# Entities with a line of their own in the help.
_COMMON = ("sub", "ses", "task", "acq", "run", "dir", "echo", "space", "desc")
_VALUES = "VALUE[,...]"


class NameOption(click.Option):
    """An option of BIDS names."""

    section = "names"


class WhichOption(click.Option):
    """An option that narrows what is meant, or says what is done with it."""

    section = "which"


class FilesCommand(TableCommand):
    """A verb with an option for each entity of BIDS: those of the schema, read only when they are needed."""

    sections = (
        ("names", "Which files, by BIDS names"),
        ("which", "Which of them, and how"),
        ("source", "Source, where it is not mounted"),
        ("mount", "Cache, where it is not mounted"),
        ("call", "This command"),
    )
    _entities: list[click.Option] | None = None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if self._entities is None:
            from ..jobs.schema import entities

            self._entities = [
                NameOption(
                    [*dict.fromkeys((f"--{one.name}", f"--{one.long}")), f"entity_{one.name}"],
                    multiple=True,
                    metavar=_VALUES,
                    help=one.title.lower(),
                    hidden=one.name not in _COMMON,
                )
                for one in entities()
            ]
        return [*self._entities, *super().get_params(ctx)]


def with_filters(function: Function) -> Function:
    """Give a click callback of a `FilesCommand` its words and filters: it is called with `words`, `list_file`, `nul`,
    and `filters`, a mapping for `chosen`."""
    names = ("suffix", "ext", "include", "exclude")

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name) for name in [*names, *(key for key in kwargs if key.startswith("entity_"))]}
        return function(*args, filters=given, **kwargs)

    decorators: Sequence[Callable[[Function], Function]] = (
        click.argument("words", nargs=-1, metavar="[PATH|SOURCE]...", shell_complete=complete_word),
        click.option(
            "--suffix", cls=NameOption, multiple=True, metavar=_VALUES, help="BIDS suffix: bold, T1w, and so on"
        ),
        click.option(
            "--ext", cls=NameOption, multiple=True, metavar=_VALUES, help="extension: nii.gz, json, and so on"
        ),
        click.option(
            "--include",
            cls=WhichOption,
            multiple=True,
            metavar="GLOB",
            help="only paths that fit: '*_bold.nii.gz', 'sub-0*/anat'",
        ),
        click.option(
            "--exclude",
            cls=WhichOption,
            multiple=True,
            metavar="GLOB",
            help="no paths that fit, nor what is below them",
        ),
        click.option(
            "--from",
            "list_file",
            cls=WhichOption,
            metavar="FILE",
            help="only the paths in FILE, one a line; -: standard input",
        ),
        click.option(
            "-0", "--null", "nul", cls=WhichOption, is_flag=True, help="paths in FILE end in NUL (find -print0)"
        ),
    )
    decorated: Function = wrapper
    for decorate in reversed(decorators):
        decorated = decorate(decorated)
    return decorated


def chosen(filters: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], list[str]]:
    """What is asked for: fields of `jobs.request.FilesRequest`, and the options as they may be typed. Raises
    UsageError."""
    entities = {}
    for option, given in filters.items():
        if not option.startswith("entity_"):
            continue
        name = option.removeprefix("entity_")
        # `--sub sub-01` is what people copy from a listing.
        if values := tuple(value.removeprefix(f"{name}-") for value in split(given, f"--{name}")):
            entities[name] = values
    ends = tuple(end.lstrip(".") for end in split(filters["ext"], "--ext"))
    parts = tuple(split(filters["suffix"], "--suffix"))
    fields: dict[str, Any] = {
        "entities": entities,
        "suffixes": parts,
        "extensions": ends,
        "include": tuple(filters["include"]),
        "exclude": tuple(filters["exclude"]),
    }
    if entities or ends or parts:
        from ..jobs.schema import vocabulary

        fields["vocabulary"] = vocabulary()
    lists = {**entities, "suffix": parts, "ext": ends, "include": fields["include"], "exclude": fields["exclude"]}
    return fields, [f"--{option}={','.join(values)}" for option, values in lists.items() if values]


def split(given: Sequence[str], option: str) -> list[str]:
    """Values, each of which may be several with commas. Raises UsageError for an empty one."""
    values = [value.strip() for text in given for value in text.split(",")]
    if not all(values):
        raise UsageError(f"{option}: a value is empty")
    return values
