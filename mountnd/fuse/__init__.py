"""The kernel's door: paths in, errnos out. The only room that imports the FUSE binding, and a boring one.

    session         one mount's life: fuse_new, mount, threads, unmount
    checked_operations  callbacks for a mount that somebody else has made: they refuse what the kernel does elsewhere
    operations      libfuse's callbacks in terms of the vfs
    permissions     who may do what by the mode bits: a policy
    stat_habits     who stats the files it lists: a policy
    directory_page  the page of a directory that libfuse is about to send: names go into it many at once
    direntries      directory entries as the kernel takes them, packed
    reply_buffer    the memory for the answer to a read
    threads         what serves the kernel's requests: more where some wait for the network
    kernel          what the kernel is asked to cache, and how it is told to forget
    readers         whether anybody waits for the answer to a request
    binding         mfusepy's libfuse as this room uses it: prototypes, structs, the callback table
    errnos          the outward table: from errors to errnos

Each line uses only those below it. `threads.py` has the one lock, a leaf. `kernel.Invalidator` has a queue and a
thread of its own, because telling the kernel to forget inside a callback can deadlock against a read of the same inode.
"""
