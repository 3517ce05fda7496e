"""Lockfiles: the objects of a dataset, each at one version, as a text that people keep and compare.

    record    one object, and its line                             (pure)
    header    where the objects are, and how the file was made     (pure)
    writing   a header and records -> a file, whole or not at all
    inflating a file as it is, or inflated
    reading   a file -> its header and records, every line looked at
    table     the objects of a file as a mount looks them up, by path

A file is a header in TOML, a line `---`, a line that names the columns, a line for each object, and a line that counts
them, so that a file that was cut off is noticed:

    # mountnd lockfile: ...
    format = 1
    source = "s3://openneuro.org/ds000001"
    ---
    path	size	mtime	etag	version	digest	key
    CHANGES	140	2018-07-18T01:34:54Z	"5c2a..."	iBQTgE6l...	=
    ...
    # 133 objects

It is UTF-8, and gzipped where its name ends in `.gz`. Lines are ordered by the bytes of their paths, and the same
objects always make the same lines: `diff` shows what changed.

Who may call whom: `table` uses `reading`; `reading` and `writing` use `header` and `record`. No locks. Knows errors and
private and regular files only.
"""
