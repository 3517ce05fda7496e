"""What `mountnd demo` needs beside mountnd: a dataset, an S3 server that counts, and a program that reads.

Each runs in a process of its own: a process that touches a mount which it serves, or whose S3 server
it runs, hangs at the first page fault on a mapped file.
"""
