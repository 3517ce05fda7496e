"""The configuration of a command: options from every layer, and the sources they are for.

    home          the user's home directory, where there is one
    parsers       text -> value: sizes, times, modes, switches, paths
    addresses     text -> value: URLs of servers and of caching proxies, where to listen
    other_tools   what options of aws, rclone, mount-s3, s3fs and others are called here
    working_directory  the directory in which the command was called, also when a daemon has left it
    option_types  what an option is: its kind, its names, a value as somebody wrote it
    options       the one table of options; each is a field of `SourceConfig` or `MountConfig`
    layers        the layers that options come from, and which one wins (`resolve_option`)
    dash_o        the argument of `-o`, as mount(8) and fstab write it
    presets/      the datasets known by name, one TOML file each
    lockfiles     a lockfile as a source, and what its header says of how it is reached
    file          the config file
    signing       who signs requests, and with which profile
    snapshot_names  `ds000001@1.0.2`: a data set and the tag of a snapshot
    pasted        pages, DOIs, ARNs and every shape of S3 URL -> the word that `source_spec` knows
    source_urls   URLs as stores take them, and what a source is called by its URL
    source_spec   a word that a person typed -> a source (`ParsedSource`)
    unused        options that were typed and would have no effect
    resolve       all of it together -> `MountConfig` (`resolve_mount`, `resolve_source`)

Imports go from the end of this list to its beginning. Other rooms take `MountConfig` and `SourceConfig`
from `options`; the verbs of `cli/` call `resolve`. Nothing here makes a request, a thread or a lock.

A new option is a line in `options`; a new preset is a file in `presets/`.
"""
