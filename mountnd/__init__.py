"""mountnd shows cloud datasets as a local, read-only directory tree.

From the top to the bottom; imports only go down (`pyproject.toml` holds the contracts):

    cli/        what a person types
    demo/       the demo's server and reader
    api/        for Python programs: a mount while a block of code runs; `mountnd://` for fsspec, without FUSE
    serve       one running mount
    opening     a mount's sources, wired up and asked whether they can be read
    snapshot_sources  sources that name a snapshot become those of its lockfile, kept or made now
    account     what a mount tells of its use
    offline     what a mount without a network has to show
    path_facts  what a mount can tell of one path
    measuring   what its metrics tell
    cluster/    a node of a ring of caches: nginx, and its configuration
    probing     what a source is asked before it is mounted
    locking/    lockfiles made, checked and compared
    jobs/       long work apart from what programs read: prefetching and verifying on request
    assembly    from a configuration to the objects of a mount
    sources     from the configuration of a source to its store; with `assembly` what names concrete classes
    parallelism how much a process does at once
    cache_directory  where in it what lies, and whether it may be used
    daemon/     the process around a mount
    metrics/    counters for Prometheus, over HTTP
    fuse/       the kernel's door: paths, errnos, flags
    vfs/        inodes and handles; what open, read and readdir mean
    catalog/    which names exist
    blocks/     which bytes we hold
    snapshots/  the files of published versions of a data set: which version of an object each is
    views/      stores around a store that show compressed images inflated
    stores/     one provider each
    config/     options, config file, presets
    view_files  what views keep of files across restarts
    shared_directory/  a directory that several nodes share
    descriptors  how many files may be open
    lockfile/   the objects of a dataset, each at one version, in a file
    memory_limit  how much memory may be used
    fusermount  unmounting
    private_directory  directories that nobody else may write, held open: caches, the run directory
    checks/     what is known of an object's content, and digests of its bytes
    errors  regular_file  stats  workers  known to everyone (workers knows errors)
    report/     what a mount did: figures, documents, a page; sizes and times for people
    usage/      what is remembered of reads and waits
    few_at_once  a socket server that answers so many requests at once
    installation  the command that adds a package to this installation
    version
    foreign_text  redaction  known to everyone: what a terminal or log may show of text from elsewhere; secrets in it

`mountnd.mount`, `mountnd.api`, `mountnd.errors` and the version are imported when they are first used.
"""

TYPE_CHECKING = False  # as type checkers know it; not from `typing`, whose import costs more than all of this
if TYPE_CHECKING:
    from . import api as api
    from . import errors as errors
    from .api.mounting import Mount, mount, mounts
    from .version import __version__

__all__ = ["Mount", "__version__", "mount", "mounts"]


def __getattr__(name: str) -> object:
    if name in ("api", "errors"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    if name == "__version__":
        from . import version

        return version.__version__
    if name in __all__:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
