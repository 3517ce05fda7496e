"""What the tree means: inodes, open files pinned to one version, directories. Joins names and bytes.

Speaks inodes and handles, never paths, so that the kernel's door can change without it.
"""
