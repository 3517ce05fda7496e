"""The S3 server and the network between it and the mounts, and what went over it.

`World` starts nginx (static files and `server/s3list.lua`) either on loopback or, with a round trip given, in a
network namespace of its own behind `wan`, a delay line in user space: many kernels come without netem. What runs on
the client's side is prefixed by `World.client` (`nsenter --net` changes only the network, so mounts are seen by all).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from .place import BUILT, DATA, SERVER, WORK
from .processes import cpu_seconds, tree

CLIENT_IP, SERVER_IP = "10.77.0.1", "10.77.0.2"


def sh(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, check=check, capture_output=True, text=True)


def built(target: str, source: str, *flags: str) -> Path:
    """A program of `server/`, compiled once into `$MOUNTND_BENCH/built`."""
    out, src = BUILT / target, SERVER / source
    if not out.exists() or out.stat().st_mtime < src.stat().st_mtime:
        BUILT.mkdir(parents=True, exist_ok=True)
        sh("gcc", "-O2", "-o", str(out), str(src), *flags)
    return out


class World:
    """A server with its network, up between `with` and its end.

    Args:
        rtt: round trip in ms; None: loopback, nothing limited.
        conn_mb: MB/s that one connection may reach (S3: about 90), 0 for no limit. Only with `rtt`.
        link_mb: MB/s of the whole link, 0 for no limit. Only with `rtt`.
        tls: speak https with a certificate authority of its own (`env` makes clients trust it).
    """

    def __init__(
        self, *, rtt: float | None, conn_mb: float = 90, link_mb: float = 0, port: int = 9200, tls: bool = False
    ):
        self.rtt, self.conn_mb, self.link_mb, self.port = rtt, conn_mb, link_mb, port
        self.run = WORK / f"server-{port}"
        self.ca = self.run / "ca.pem" if tls else None
        self.client_ns, self.server_ns = f"mbc{port}", f"mbs{port}"
        self.host = "127.0.0.1" if rtt is None else SERVER_IP
        self.url = f"http{'s' if tls else ''}://{self.host}:{port}"
        self.client = [] if rtt is None else ["nsenter", f"--net=/run/netns/{self.client_ns}"]
        self.log = self.run / "access.log"
        self.processes: list[subprocess.Popen[str]] = []

    @property
    def env(self) -> dict[str, str]:
        """What makes clients trust the server: Go and rustls, botocore, requests."""
        names = ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
        return dict.fromkeys(names, str(self.ca)) if self.ca else {}

    def __enter__(self) -> Self:
        (self.run / "tmp").mkdir(parents=True, exist_ok=True)
        try:
            if self.rtt is not None:
                self._link()
            self._serve()
        except BaseException:
            self.close()
            raise
        self.mark()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if self.rtt is not None:
            for namespace in (self.client_ns, self.server_ns):
                sh("ip", "netns", "del", namespace, check=False)

    def _link(self) -> None:
        assert self.rtt is not None
        for namespace in (self.client_ns, self.server_ns):
            sh("ip", "netns", "del", namespace, check=False)
            sh("ip", "netns", "add", namespace)
            sh("ip", "-n", namespace, "link", "set", "lo", "up")
        one_way_us = str(int(self.rtt * 500))
        argv = [str(built("wan", "wan.c", "-lpthread")), self.client_ns, "wanc", self.server_ns, "wans", one_way_us]
        if self.link_mb:
            argv.append(str(int(self.link_mb * 1e6)))
        wan = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.processes.append(wan)
        if not wan.stdout or wan.stdout.readline().strip() != "ready":
            raise RuntimeError("the delay line did not start: root and /dev/net/tun are needed")
        for namespace, device, ip in ((self.client_ns, "wanc", CLIENT_IP), (self.server_ns, "wans", SERVER_IP)):
            sh("ip", "-n", namespace, "addr", "add", f"{ip}/24", "dev", device)
            sh("ip", "-n", namespace, "link", "set", device, "up", "mtu", "1500", "txqueuelen", "20000")
            # S3 and its clients run on hosts with buffers fit for such a path.
            tuned = ("net.ipv4.tcp_wmem=4096 65536 33554432", "net.ipv4.tcp_slow_start_after_idle=0")
            sh("nsenter", f"--net=/run/netns/{namespace}", "sysctl", "-w", *tuned, check=False)

    def _serve(self) -> None:
        buckets = ",".join(f'"{path.stem}"' for path in sorted(DATA.glob("*.index")))
        conf = (SERVER / "nginx.conf.in").read_text()
        for name, value in {
            "WORKERS": 1,
            "RUN": self.run,
            "HERE": SERVER,
            "ROOT": DATA,
            "BUCKETS": buckets,
            "LISTEN": f"{self.host}:{self.port}",
            "TLS": self._certificates() if self.ca else "",
            "CHUNK": "2m",
            "LOG": f"{self.log} s3 buffer=64k flush=50ms",
        }.items():
            conf = conf.replace(f"@{name}@", str(value))
        (self.run / "nginx.conf").write_text(conf)
        self.log.write_text("")
        env = dict(os.environ)
        inside = [] if self.rtt is None else ["nsenter", f"--net=/run/netns/{self.server_ns}"]
        if self.rtt is not None and self.conn_mb:
            pace = str(built("pace.so", "pace.c", "-shared", "-fPIC", "-ldl"))
            env |= {"LD_PRELOAD": pace, "PACE_BYTES_PER_S": str(int(self.conn_mb * 1e6))}
        argv = [*inside, "nginx", "-p", str(self.run), "-c", str(self.run / "nginx.conf")]
        env["PATH"] = env.get("PATH", "") + ":/usr/sbin"
        self.processes.append(subprocess.Popen(argv, env=env, text=True))
        probe = f"import socket; socket.create_connection(({self.host!r}, {self.port}), 2)"
        for _ in range(50):
            if sh(*self.client, "python3", "-c", probe, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"the server does not answer: see {self.run}/error.log")

    def _certificates(self) -> str:
        """An authority and a leaf (rustls refuses an authority as a server's certificate); nginx's `listen` words."""
        ca_key, key, leaf = (str(self.run / name) for name in ("ca-key.pem", "key.pem", "leaf.pem"))
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        sh(*new, "-days", "30", "-subj", "/CN=bench CA", "-keyout", ca_key, "-out", str(self.ca))
        names = ["-addext", f"subjectAltName=IP:{self.host}", "-addext", "basicConstraints=critical,CA:FALSE"]
        signed = ["-CA", str(self.ca), "-CAkey", ca_key]
        sh(*new, "-days", "30", "-subj", "/CN=bench", *names, *signed, "-keyout", key, "-out", leaf)
        return f" ssl; ssl_certificate {leaf}; ssl_certificate_key {key}; ssl_session_cache shared:s:1m"

    def mark(self) -> None:
        """Begin to count here."""
        time.sleep(0.12)  # longer than the log's flush of 50 ms
        self._position, self._received, self._cpu = self.log.stat().st_size, self._net_bytes(), self._server_cpu()

    def since(self) -> dict[str, float]:
        """What happened since `mark`.

        Requests by kind, bytes sent by the server (`sent`) and received by the client's interface (`net`, fewer
        where a client gave up requests; 0 on loopback), connections, CPU seconds of server and link.
        """
        time.sleep(0.15)
        with self.log.open() as log:
            log.seek(self._position)
            counts = tally(log.read())
        return {
            **counts,
            "net": self._net_bytes() - self._received,
            "server_cpu": round(self._server_cpu() - self._cpu, 2),
        }

    def _net_bytes(self) -> int:
        if self.rtt is None:
            return 0
        shown = sh("ip", "-n", self.client_ns, "-s", "-j", "link", "show", "wanc").stdout
        return int(json.loads(shown)[0]["stats64"]["rx"]["bytes"])

    def _server_cpu(self) -> float:
        return sum(cpu_seconds(tree(process.pid)) for process in self.processes)


def tally(log: str) -> dict[str, float]:
    """Requests of an access log (the format of nginx.conf.in) by kind."""
    counts = Counter(dict.fromkeys(("req", "get", "head", "list", "miss", "sent"), 0))
    connections = set()
    for line in log.splitlines():
        _, method, status, sent, _, connection, uri = line.split("\t")
        counts["req"] += 1
        counts["sent"] += int(sent)
        counts["miss"] += status == "404"
        connections.add(connection)
        of_bucket = "/" not in uri.partition("?")[0].strip("/")
        counts["list" if of_bucket else "head" if method == "HEAD" else "get"] += 1
    return {**counts, "conns": len(connections)}
