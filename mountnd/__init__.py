"""mountnd shows cloud datasets as a local, read-only directory tree.

From the top to the bottom; imports only go down (`pyproject.toml` holds the contracts):

    cli/        what a person types
    demo/       the demo's server and reader
    serve       one running mount
    account     what a mount tells of its use
    offline     what a mount without a network has to show
    probing     what a source is asked before it is mounted
    assembly    from a configuration to the objects of a mount; names the concrete classes
    cache_directory  where in it what lies, and whether it may be used
    daemon/     the process around a mount
    fuse/       the kernel's door: paths, errnos, flags
    vfs/        inodes and handles; what open, read and readdir mean
    catalog/    which names exist
    blocks/     which bytes we hold
    stores/     one provider each
    config/     options, config file, presets
    descriptors  how many files may be open
    memory_limit  how much memory may be used
    fusermount  unmounting
    private_directory  directories that nobody else may write, held open: caches, the run directory
    errors  regular_file  stats  workers  known to everyone (workers knows errors)
    report/     what a mount did: figures, documents, a page; sizes and times for people
    usage/      what is remembered of reads and waits
    installation  the command that adds a package to this installation
    foreign_text  redaction  known to everyone: what a terminal or log may show of text from elsewhere; secrets in it
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
