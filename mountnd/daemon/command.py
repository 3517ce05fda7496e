"""A command run to its end as a shell runs it: signals reach it, and its end is told in a shell's exit codes.

It runs in this process's group, so what is typed at the terminal (Ctrl-C, Ctrl-\\, Ctrl-Z) comes to both from the
kernel, and is not passed on a second time. What others send to this process is.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

# Those by which people and batch systems end, stop and notify jobs.
_PASSED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
    signal.SIGTSTP,
    signal.SIGCONT,
)
# Python ignores these for itself.
_DEFAULT = (signal.SIGPIPE, signal.SIGXFSZ)
# As shells do: what cannot be executed, and what is not there.
NOT_EXECUTABLE, NOT_FOUND = 126, 127


def run(argv: Sequence[str], *, umask: int, say: Callable[[str], None]) -> int:
    """Run a command to its end, with this process's streams, directory and whatever it has inherited.

    Args:
        umask: the command's, and from then on this process's.
        say: told in a line why it cannot be executed.

    Returns its exit code; 128 + n where signal n ended it, 127 where there is no such command, 126 where it cannot be
    executed.
    """
    with _blocked() as (waited_for, before):
        os.umask(umask)
        try:
            pid = _start(argv, before)
        except (OSError, ValueError) as e:
            name, number = shlex.quote(argv[0]), e.errno if isinstance(e, OSError) else errno.ENOENT
            if number in (errno.ENOENT, errno.ENOTDIR):
                say(f"{name}: command not found")
                return NOT_FOUND
            say(f"{name} cannot be executed: {os.strerror(number or errno.EIO)}")
            return NOT_EXECUTABLE
        while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
            _pass_on(signal.sigwaitinfo(waited_for), pid)
    code = os.waitstatus_to_exitcode(ended[1])
    return 128 - code if code < 0 else code


def _start(argv: Sequence[str], mask: set[int]) -> int:
    """Start it; its pid. Raises OSError, and ValueError for a name that no command can have."""
    # What the caller has opened for it stays open (a shell's `<(...)`); what this process has opened closes by itself.
    try:
        return os.posix_spawnp(argv[0], list(argv), os.environ, setsigmask=mask, setsigdef=_DEFAULT)
    except OSError as e:
        if e.errno != errno.ENOEXEC:
            raise
    # A script that does not say what runs it: a shell, as for execvp(3).
    return os.posix_spawn("/bin/sh", ["sh", *argv], os.environ, setsigmask=mask, setsigdef=_DEFAULT)


@contextmanager
def _blocked() -> Iterator[tuple[set[signal.Signals], set[int]]]:
    """Block what is passed on, so that it can be waited for. Yields that, and what was blocked before.

    What is ignored (nohup, a shell's background job) stays so, here and in the command.
    """
    waited_for = {n for n in _PASSED if signal.getsignal(n) != signal.SIG_IGN} | {signal.SIGCHLD}
    before = {int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)}
    try:
        yield waited_for, before
    finally:
        while signal.sigtimedwait(waited_for, 0) is not None:
            pass  # what was typed for a command that has just ended
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pass_on(info: signal.struct_siginfo, pid: int) -> None:
    """Pass a signal on to a child that was not waited for yet."""
    number = info.si_signo
    if number == signal.SIGCHLD:
        return
    if info.si_code <= 0:  # SI_USER and the like: sent to us; from the terminal the kernel has sent it to both
        os.kill(pid, number)
    if number == signal.SIGTSTP:
        os.kill(os.getpid(), signal.SIGSTOP)
        signal.sigtimedwait({signal.SIGCONT}, 0)  # what woke us up; it is passed on here, once
        os.kill(pid, signal.SIGCONT)
