"""What the link itself allows, with no file system: raw sockets that know every range in advance.

For the workloads the same bytes (or keys) are fetched by N kept-alive connections. A mount cannot be faster cold,
unless it fetches less.
"""

from __future__ import annotations

import json
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from urllib.parse import quote, urlsplit

from .data import BIG, HUGE, MIB
from .place import REPOSITORY
from .run import alone
from .world import World

BUCKET = "/neuro"
HEADERS = 4096
Job = tuple[str, int, int]  # path, offset, bytes


class Connection:
    """One kept-alive connection that receives into one buffer."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = f"{host}:{port}"
        self._view = memoryview(bytearray(8 * MIB + HEADERS))

    def get(self, path: str, offset: int | None = None, n: int = 0) -> memoryview:
        """The body; valid until the next call."""
        span = "" if offset is None else f"Range: bytes={offset}-{offset + n - 1}\r\n"
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n{span}\r\n".encode())
        have, head = 0, b""
        while b"\r\n\r\n" not in head:
            have += self._some(self._view[have:HEADERS])
            head = bytes(self._view[:have])
        body = head.index(b"\r\n\r\n") + 4
        found = re.search(rb"Content-Length: (\d+)", head[:body])
        if head[9:12] not in (b"200", b"206") or not found:
            raise RuntimeError(f"{path}: {head[:40]!r}")
        end = body + int(found[1])
        while have < end:
            have += self._some(self._view[have:end])
        return self._view[body:end]

    def _some(self, view: memoryview) -> int:
        n = self._socket.recv_into(view)
        if not n:
            raise EOFError("the server closed the connection")
        return n


def fetch(host: str, port: int, jobs: list[Job], connections: int) -> tuple[float, int]:
    """Seconds and bytes of fetching all jobs by so many connections, connects included."""
    queue = iter(jobs)
    lock = threading.Lock()
    total = 0

    def work() -> None:
        nonlocal total
        connection, n = Connection(host, port), 0
        while True:
            with lock:
                job = next(queue, None)
            if job is None:
                break
            n += len(connection.get(*job))
        with lock:
            total += n

    threads = [threading.Thread(target=work) for _ in range(connections)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun, total


def pieces(key: str, size: int, step: int) -> list[Job]:
    return [(f"{BUCKET}/{key}", offset, min(step, size - offset)) for offset in range(0, size, step)]


def tasks() -> Iterator[tuple[str, list[Job], Iterable[int]]]:
    """Name, jobs, and the numbers of connections to try."""
    big = [f"big/bold_{i:02d}.nii" for i in range(10)]
    for step in (MIB, 4 * MIB, 8 * MIB):
        yield f"W1 256 MiB by {step // MIB} MiB", pieces(big[0], BIG, step), (4, 8, 16, 32)
    yield "W2 4 x 256 MiB by 8 MiB", [job for key in big[1:5] for job in pieces(key, BIG, 8 * MIB)], (16, 32, 64)
    names = [f"{BUCKET}/sub-{s:03d}/ses-0/anat/sub-{s:03d}_ses-0_T1w.nii" for s in range(200)]
    yield "W3 200 headers", [(name, 0, 348) for name in names], (1, 8, 32)
    rng = random.Random(41)
    yield (
        "W4 200 x 64 KiB",
        [(f"{BUCKET}/big/huge.nii", rng.randrange(HUGE - 65536), 65536) for _ in range(200)],
        (1, 8),
    )
    slices = range(352 + (300 << 10), BIG - 65536, MIB)
    yield "W6 slices of 64 KiB", [(f"{BUCKET}/{big[5]}", offset, 65536) for offset in slices], (1, 8, 32)
    yield (
        "W8 20 x 10 MiB",
        [job for i in range(20) for job in pieces(f"gz/img_{i:02d}.nii.gz", 10 * MIB, 5 * MIB)],
        (2, 16, 32),
    )
    sidecars = [
        f"{BUCKET}/sub-{s:03d}/ses-{e}/func/sub-{s:03d}_ses-{e}_task-rest_bold.json"
        for s in range(67, 200)
        for e in range(3)
    ]
    yield "W9 400 small", [(name, 0, 4096) for name in sidecars[:400]], (8, 32)


def flat_listing(host: str, port: int) -> dict[str, object]:
    connection, token, keys, pages = Connection(host, port), "", 0, 0
    begun = time.perf_counter()
    while True:
        page = bytes(connection.get(f"{BUCKET}?list-type=2{token}"))
        keys, pages = keys + page.count(b"<Contents>"), pages + 1
        more = re.search(rb"<NextContinuationToken>([^<]+)", page)
        if not more:
            break
        token = "&continuation-token=" + quote(more[1].decode(), safe="")
    return {
        "what": "W5 flat listing",
        "requests": pages,
        "keys": keys,
        "seconds": round(time.perf_counter() - begun, 3),
    }


def client(url: str) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    for what, jobs, tried in tasks():
        for connections in tried:
            seconds, n = fetch(host, port, jobs, connections)
            row = {"what": what, "connections": connections, "requests": len(jobs), "seconds": round(seconds, 3)}
            print(json.dumps(row | {"MB": round(n / 1e6, 1)}), flush=True)
    print(json.dumps(flat_listing(host, port)), flush=True)


def run(rtt: float | None) -> None:
    with World(rtt=rtt, port=9300) as world, alone():
        argv = [*world.client, sys.executable, "-m", "tests.benchmarks.limit", world.url]
        subprocess.run(argv, check=True, cwd=REPOSITORY, timeout=300)


if __name__ == "__main__":
    client(sys.argv[1])
