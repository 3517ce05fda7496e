"""Nodes of a cluster as network namespaces of this host: a switch between them, and a slow line to the server.

The client's side of `World` becomes a router: nodes are joined by its bridge, without delay or limit, and reach the
server over the delay line.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from .mount import Mount
from .peers import BY_NAME, OURS, Peer
from .place import REPOSITORY
from .processes import tree
from .world import CLIENT_IP, World, sh

NETWORK, PORT = "10.78.0", 8090
START_S = 60.0
OURS_ON_NODE = replace(BY_NAME[OURS], command=f"{BY_NAME[OURS].command} --region us-east-1")


class Lan:
    """`count` nodes beside a world with a delay line, up between `with` and its end."""

    def __init__(self, world: World, count: int) -> None:
        self._world, self.nodes = world, [Node(world, number) for number in range(1, count + 1)]

    def __enter__(self) -> Self:
        world, router = self._world, ["ip", "-n", self._world.client_ns]
        try:
            sh(*router, "link", "add", "lan", "type", "bridge")
            sh(*router, "addr", "add", f"{NETWORK}.254/24", "dev", "lan")
            sh(*router, "link", "set", "lan", "up")
            sh(*world.client, "sysctl", "-w", "net.ipv4.ip_forward=1")
            sh("ip", "-n", world.server_ns, "route", "add", f"{NETWORK}.0/24", "via", CLIENT_IP)
            for node in self.nodes:
                node.join(world.client_ns)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for node in self.nodes:
            node.leave()


class Node:
    """One node: its namespace, and the cache that may run in it. Stands for a `World` where a mount is made."""

    def __init__(self, world: World, number: int) -> None:
        self._world, self.number = world, number
        self.namespace, self.address = f"mbn{world.port}-{number}", f"{NETWORK}.{number}"
        self.url, self.env, self.ca = world.url, world.env, world.ca
        self.client = ["nsenter", f"--net=/run/netns/{self.namespace}"]
        self._cache: subprocess.Popen[bytes] | None = None

    @property
    def cache_url(self) -> str:
        return f"http://{self.address}:{PORT}"

    def join(self, router: str) -> None:
        """Make the namespace, and connect it to the switch."""
        sh("ip", "netns", "del", self.namespace, check=False)
        sh("ip", "netns", "add", self.namespace)
        ip, port = ["ip", "-n", self.namespace], f"port{self.number}"
        sh("ip", "-n", router, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        sh("ip", "-n", router, "link", "set", port, "master", "lan", "up")
        sh(*ip, "link", "set", "lo", "up")
        sh(*ip, "addr", "add", f"{self.address}/24", "dev", "eth0")
        sh(*ip, "link", "set", "eth0", "up")
        sh(*ip, "route", "add", "default", "via", f"{NETWORK}.254")

    def leave(self) -> None:
        self.stop_cache()
        sh("ip", "netns", "del", self.namespace, check=False)

    def start_cache(self, bucket: str, home: Path) -> None:
        """Run `mountnd cache-server` on it; what `home` holds of an earlier one is used."""
        home.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-m", "mountnd", "cache-server", f"s3://{bucket}", "--endpoint-url", self.url]
        words += ["--region", "us-east-1", "--listen", f"{self.address}:{PORT}", "--dir", str(home / "cache")]
        with (home / "log").open("ab") as log:
            self._cache = subprocess.Popen(
                [*self.client, *words, "--size", "2G"], cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + START_S
        while "--via" not in (home / "log").read_text():
            if self._cache.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"no cache: see {home}/log")
            time.sleep(0.05)

    def kill_cache(self) -> None:
        """As a node that loses its power: all at once, and nothing is told to anybody."""
        assert self._cache is not None
        for pid in reversed(tree(self._cache.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._cache.wait()

    def stop_cache(self) -> None:
        if self._cache is not None and self._cache.poll() is None:
            self._cache.terminate()
            try:
                self._cache.wait(20)
            except subprocess.TimeoutExpired:
                self.kill_cache()
        self._cache = None

    def mount(self, peer: Peer, bucket: str, home: Path, options: str) -> Mount:
        """A mount on it, with an empty cache directory of its own. Close it when done."""
        told = replace(peer, command=f"{peer.command} {options}")
        return Mount(told, self, bucket, home / "mnt", home / "mount-cache", home / "mount-log")


def via(nodes: Sequence[Node]) -> str:
    """The option that names the caches of these nodes."""
    return f"--via {','.join(node.cache_url for node in nodes)}" if nodes else ""
