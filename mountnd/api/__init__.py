"""For Python programs: a mount while a block of code runs, and the same data and caches without FUSE.

    mounting    `mount`: mounts in a process of its own, as the command does, and unmounts at the end
    command     that process, and the one which unmounts when this one is killed
    sharing     `SharedMount`: one mount for all processes of a node, until the last has left
    holding     what such a process says to the daemon of that mount
    sharing_daemon  the command that starts it
    dask        the same as a plug-in of Dask's workers; needs distributed
    filesystem  `MountndFileSystem`: what fsspec calls for `mountnd://...`; the half that reads bytes
    browsing    the other half: sources, paths, listings
    asynchronous  what coroutines call of both
    files       an open file
    sources     the trees of one file system, by the word that names each
    reading     many files, or many places of some, all under way at once
    names       a walk; many paths looked up side by side
    trees       the vfs of the sources that this process reads, one for all file systems; threads and forks
    entries     what is told of a name
    places      which source and which path in it a path of the file system means
    oserrors    errors of ours as those of Python's own file functions
    keywords    options by name, as the table of options has them

Who may call whom: `filesystem`, `mounting` and `dask` all others, but not each other; the rest goes down in the
order of `pyproject.toml`. Nothing is imported before it is used: `import mountnd` reaches this module when one of its
names is asked for.

Locks: `trees._lock` guards the table of open trees, and is not held while a source is asked; each has a lock while
it is opened. `Mount._lock` is held while its mount is ended, `SharedMount._changing` while its is made or left;
`sharing._lock` is a leaf. All come before those of other rooms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .filesystem import MountndFileSystem
    from .mounting import Mount, mount, mounts
    from .sharing import SharedMount

__all__ = ["Mount", "MountndFileSystem", "SharedMount", "mount", "mounts"]


def __getattr__(name: str) -> Any:
    if name in ("Mount", "mount", "mounts"):
        from . import mounting

        return getattr(mounting, name)
    if name == "MountndFileSystem":
        from .filesystem import MountndFileSystem

        return MountndFileSystem
    if name == "SharedMount":
        from .sharing import SharedMount

        return SharedMount
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
