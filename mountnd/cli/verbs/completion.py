"""`mountnd completion SHELL`: what makes Tab complete verbs, sources, profiles, mounts and topics."""

from __future__ import annotations

import click

from .. import streams
from ..flags import TableCommand

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=TableCommand)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that teaches your shell to complete what mountnd takes.

    Verbs, options, sources (presets and those of the config file), profiles of the AWS files, running mounts, and
    pages of the manual. For this shell only:

    \b
      eval "$(mountnd completion bash)"

    For all that you start later, once:

    \b
      mkdir -p ~/.local/share/bash-completion/completions
      mountnd completion bash \\
        > ~/.local/share/bash-completion/completions/mountnd
      echo 'eval "$(mountnd completion zsh)"' >> ~/.zshrc
      mountnd completion fish \\
        > ~/.config/fish/completions/mountnd.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, "mountnd", "_MOUNTND_COMPLETE").source()
    streams.show_as_it_is(script)
