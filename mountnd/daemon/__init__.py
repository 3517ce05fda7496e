"""The process around a mount: fork and readiness, the run directory, unmounting, what the machine must have.

    exec        a mount for the length of one command
    run         a mount's life, from the checks to the clean-up (`run_mount`)
    holders     who uses a mount that several processes share
    unmount     ending a mount: who holds it, and waiting until its daemon is gone
    hung        daemons that hang: finding out, and ending them
    control     the control socket: answers to requests of other verbs
    ask         those requests
    mountpoint  the directory that is mounted on: made, checked, removed
    lookup      which daemon serves a mountpoint
    detach      fork, and the pipe by which the child tells its parent that it is ready
    elsewhere   where a mount still is after it was unmounted here
    rundir      the run directory: records of who is mounted where
    record      one such record
    mounts      what the kernel has mounted, and whether it answers
    command     a command run to its end, signals passed on
    namespace   a namespace in which an ordinary user may mount
    handed_over /dev/fd/N as a mountpoint: a device that somebody else has mounted
    notify      what a service manager is told
    host        checks of the machine, each with the command that fixes what is missing
    logs        where messages go
    privacy     what others may see of a daemon
    signals     being ended in the middle of something

Other rooms call `run`, `unmount` and `control`; the verbs and the demo also read `host`, `mounts`, `rundir` and
`signals`. What is served is a function that `run_mount` is given: this room knows nothing of stores or FUSE. It
holds no lock; of two daemons for one mountpoint the second is refused by link(2), see `rundir`. Nothing of it is
imported with the room: most verbs need little.
"""
