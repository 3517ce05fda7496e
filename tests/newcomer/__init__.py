"""`make newcomer`: the first hour of somebody who has Debian, make and python3, and nothing else.

    root      the bare Debian (debootstrap, from the mirror that this machine uses), and a shell in it
    session   what is typed there, what must then stand on the screen, and what did

It takes some minutes, wants root, a Debian mirror and a package index, and is no part of `make test`. The bucket is on
this machine (`tests/support/local_openneuro.py`).
"""
