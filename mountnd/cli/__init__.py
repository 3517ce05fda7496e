"""What a person types at a shell: verbs, flags, and one line for every error.

    main              finds the verb, runs it, and turns errors into one line and an exit code
    verbs/            one module a verb, and the registry of them
    flags             the option table as flags of a verb
    streams           the standard streams, also where they are closed; lines for the person
    mounting          what the verbs that mount share: introducing the sources, advice with errors
    file_filters      options that say which files are meant: BIDS names, patterns, lists
    prefetch_words    what words of prefetch and verify mean   (pure, but for looking at mounts)
    prefetching       where their jobs run, and how they are waited for
    progress          how far a job is
    status_line       the line that tells it, as do other counts
    prefetch_summary  what prefetch says at its end;  verify_summary  the same of verify
    live              a terminal that is drawn anew until q: `stats --watch`
    live_view         what is drawn there   (pure)
    running           the mounts that run, and which of them a path lies in
    tables            tables, labelled lines and commands to copy, on the terminal
    layout            where lines break, and how wide columns are   (pure)
    terminal          the terminal's width and colours; click's help text laid out for it
    diagnose_machine  what `mountnd doctor` looks at on this machine
    diagnose_source   what `mountnd doctor SOURCE` finds out about a source
    install_helper    a link by which mount(8) and fstab find mountnd
    remedies          what to do about an error of a source   (pure)
    locking           what `mountnd lock` makes lockfiles of, and how they are written
    locking_past      the same of snapshots, and of what a bucket held at a moment
    lock_checks       what `lock --check` and `--diff` find, told
    lock_reports      what `report --lock` writes
    counting          how far something is that counts
    unit              the text of a systemd unit   (pure)
    mount_helper      arguments that mount(8) gives to /sbin/mount.fuse.mountnd
    man_page          writes the manual page help/mountnd.1
    options_page      writes the option table into help/configuration.md

`main` calls a verb's module, a verb calls the others; verbs do not know each other. A verb is imported when it
is used, and what needs a store's library is imported inside functions, so that `--help` is quick.
"""
