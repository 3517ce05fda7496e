"""A mount namespace of a test's own: it begins as a copy of all mounts, also those of tests that run beside it."""

from __future__ import annotations

# For a shell in such a namespace: without the FUSE mounts of others, but for the one at "$1". A namespace keeps a mount
# that its own test unmounts, and `mountnd umount` then says who has it.
LEAVE_OTHERS = r"""
awk -v keep="$1" '$3 ~ /^fuse/ && $2 != keep { print $2 }' /proc/self/mounts |
    while read -r other; do umount -l "$(printf '%b' "$other")"; done
"""
