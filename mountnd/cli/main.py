"""`mountnd`: finds the verb, runs it, and turns every error into one line on stderr and an exit code.

Exit codes: `errors.EXIT_CODES`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from ..config.options import OPTIONS
from ..config.other_tools import called_here
from ..errors import MountndError
from ..foreign_text import line
from ..redaction import learn_environment
from ..version import __version__
from . import streams
from .mount_helper import mountnd_arguments
from .terminal import HelpContext
from .verbs import ALIASES, VERBS, load

_ABOUT = "Mount datasets in S3 (and elsewhere) as a tree of plain, read-only files."

# What is typed first.
_USES = (
    ("mountnd ~/openneuro", "the preset that the directory is named after"),
    ("mountnd SOURCE DIR", "a preset, a name of the config file, s3://BUCKET/PREFIX, gs://, https://, ..."),
    ("mountnd umount DIR", "unmount it"),
)

_DEBUG = ("--debug", "--no-debug")


class VerbGroup(click.Group):
    """The command line: `mount` where no verb is written, and options before the verb as well as after it."""

    context_class = HelpContext

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS and cmd_name not in ALIASES:
            return None
        command = load(ALIASES.get(cmd_name, cmd_name))
        command.context_class = HelpContext
        if not any(_DEBUG[0] in param.opts for param in command.params):
            # `main` looks for it in the arguments; here it only must not be an unknown option.
            help_ = "show tracebacks"
            command.params.append(click.Option(["--debug", "_debug"], is_flag=True, expose_value=False, help=help_))
        if not any("--quiet" in param.opts for param in command.params):
            command.params.append(_quiet())
        return command

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_dl(_USES)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs (each has its own --help)"):
            formatter.write_dl(list(VERBS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = self.first_word(args)
        if at is not None and (args[at] in VERBS or args[at] in ALIASES):
            args = [ALIASES.get(args[at], args[at]), *args[:at], *args[at + 1 :]]
        elif at is not None or (args and not all(arg in ("-h", "--help", "--version") for arg in args)):
            args = ["mount", *args]
        elif not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def first_word(self, args: Sequence[str]) -> int | None:
        """Index of the first argument that is neither an option nor an option's value; None without one."""
        at = 0
        while at < len(args):
            arg = args[at]
            if arg == "--":
                return None if at + 1 == len(args) else at
            if not arg.startswith("-") or arg == "-":
                return at
            at += 2 if self._takes_next(arg) else 1
        return None

    def _takes_next(self, arg: str) -> bool:
        """Whether the argument after the option `arg` is its value."""
        if not arg.startswith("--"):
            return arg.endswith("o") and arg[1:-1].strip("fqv") == ""  # -o OPTS, also -fo OPTS
        if "=" in arg or arg in ("--help", "--version", "--debug", "--quiet"):
            return False
        for option in OPTIONS:
            if arg == option.flag:
                return bool(option.kind.metavar)
        context = click.Context(self)
        commands = [self.get_command(context, verb) for verb in VERBS]
        params = [param for command in commands if command for param in command.params]
        return any(arg in p.opts and isinstance(p, click.Option) and not p.is_flag and not p.count for p in params)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        mount = self.get_command(ctx, "mount")
        assert mount is not None
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            return found + mount.shell_complete(click.Context(mount, info_name="mount", parent=ctx), incomplete)
        from .flags import complete_word

        return found + complete_word(ctx, mount.params[0], incomplete)

    def main(self, args: Sequence[str] | None = None, *_: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        argv = list(sys.argv[1:] if args is None else args)
        extra["prog_name"] = "mountnd"
        if not standalone_mode:
            return super().main(argv, standalone_mode=False, **extra)
        own = argv[: argv.index("--")] if "--" in argv else argv  # the rest is a command that `exec` runs
        debug = "--debug" in own or os.environ.get("MOUNTND_DEBUG", "").lower() in ("1", "true", "yes", "on")
        try:
            code = super().main(argv, standalone_mode=False, **extra)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader of the output went away (`| head`): not an error, and nothing must be written at exit.
            streams.discard(1)
            code = 1
        except (Exception, KeyboardInterrupt) as error:
            if debug:
                streams.say_traceback(error)
            message, code = describe(error)
            if streams.is_output_error(error):
                message = f"the standard output cannot be written: {message}"
                streams.discard(1)
            if message:
                streams.say(f"mountnd: {one_line(message)}", "bad")
        sys.exit(code if isinstance(code, int) else 0)


def _quiet() -> click.Option:
    """-q, of every verb."""

    def set_quiet(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        ctx.meta[streams.QUIET] = value

    help_ = "print errors and what was asked for, no remarks"
    return click.Option(["-q", "--quiet", "_quiet"], is_flag=True, expose_value=False, callback=set_quiet, help=help_)


def describe(error: BaseException) -> tuple[str, int]:
    """The line for a person about `error`, and the exit code."""
    if isinstance(error, MountndError):
        return str(error) or type(error).__name__, error.exit_code
    if isinstance(error, click.NoSuchOption) and (instead := called_here(error.option_name)):
        return f"{error.option_name}: {instead}", 2
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "mountnd"
        return f"{error.format_message()} (see {command} --help)", 2
    if isinstance(error, click.ClickException):
        return error.format_message(), 1
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return "", 130  # 128 + SIGINT, as shells do
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror, 1
    return f"internal error: {type(error).__name__}: {error} (--debug shows where)", 1


def one_line(message: str) -> str:
    """`message` without the line breaks that click puts in, and as a person may be shown it."""
    return line(" ".join(part.strip() for part in message.splitlines() if part.strip()))


@click.group(
    cls=VerbGroup,
    help=_ABOUT,
    epilog="All options of a mount: mountnd mount --help",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    options_metavar="",
    subcommand_metavar="[VERB] ... | [SOURCE] MOUNTPOINT [OPTIONS]",
)
@click.version_option(__version__, prog_name="mountnd", message="%(prog)s %(version)s")
def cli() -> None:
    pass


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit. `argv`: without the program's name; this process's when None."""
    streams.ensure_open()
    learn_environment(os.environ)
    # Where a caller ignores it, a child's exit code is lost: a failed unmount would look like a good one.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    args = list(sys.argv[1:] if argv is None else argv)
    if argv is None and Path(sys.argv[0]).name.startswith("mount."):
        args = mountnd_arguments(args)
    cli.main(args)
    raise AssertionError("click returned")
