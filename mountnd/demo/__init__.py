"""What `mountnd demo` needs beside mountnd: a dataset, an S3 server that counts, and a program that reads.

    processes  starts and ends the server, the mount and the reader
    server     the S3 server (a program)
    dataset    what is in its bucket
    reader     reads through the mount and draws a picture (a program)

The verb calls `processes`, which starts the programs by their names. Each runs in a process of its own: a process
that touches a mount which it serves, or whose S3 server it runs, hangs at the first page fault on a mapped file.
"""
