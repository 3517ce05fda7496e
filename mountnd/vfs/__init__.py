"""What the tree means: inodes, open files pinned to one version, directories. Joins names and bytes.

    tree            `Vfs`: what every door calls: look-ups, attributes, read, readdir
    open_directories  those that are open, by number
    open_directory  rows of one open directory: with attributes, or names alone
    explain         what is known of one path, told without asking anybody
    prefetch/       readahead across files: what a program will open next
    namespace       names and paths to inodes; directories remembered by path, until `refresh`
    handles         open files, each pinned to one version
    failures        what failed, in the log: once a cause
    inodes          numbers, attributes, ownership: values

`tree` uses all others; `open_directories`, `open_directory` and `explain` use `namespace` and `handles`; `prefetch`,
`namespace` and `handles` know only `inodes` and `failures`. Names come from `catalog`, bytes from `blocks`, which do
not see each other. Handles and inodes are what doors hold on to; a path is only resolved.

Locks: `FailureLog._lock` is a leaf, `Handles._changed` comes before `UsageLog._lock` only; a source's lock in
`prefetch` comes before the catalogue's. None is held while `catalog` or `blocks` wait for the network.
"""
