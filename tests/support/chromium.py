"""A headless Chromium of its own, which tells what a page does: its console, its requests, what is in it.

Spoken to through a pair of pipes (--remote-debugging-pipe), by the Chrome DevTools Protocol: messages of JSON, each
ended by a NUL (chromedevtools.github.io/devtools-protocol).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# A busy machine takes its time to start a browser.
ANSWER_S = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """The browser of this machine, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Chromium:
    """A browser with one page.

    Attributes:
        requests: the URLs that it has asked for, in their order; console: what the page has said there, errors and
            refusals of its policy among it.
    """

    def __init__(self, process: subprocess.Popen[bytes], to: int, back: int) -> None:
        self._process, self._to, self._back = process, to, back
        self._held, self._number, self._session = bytearray(), 0, ""
        self.requests: list[str] = []
        self.console: list[str] = []

    def open(self, url: str) -> None:
        """Show a page, and wait until it has loaded."""
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.requests.clear()
        self.call("Page.navigate", url=url)
        self._until("Page.loadEventFired")

    def run(self, expression: str) -> Any:
        """What an expression of JavaScript is in the page. The page's own policy does not bind it."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def look(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Make the window so wide, in CSS pixels, and the page dark or light."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Write the whole page as a PNG."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                result: dict[str, Any] = answer["result"]
                return result

    def _until(self, event: str) -> None:
        while self._next().get("method") != event:
            pass

    def _next(self) -> dict[str, Any]:
        """The next message; what it tells of the page is noted."""
        end = time.monotonic() + ANSWER_S
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._back], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"the browser says nothing (exit {self._process.poll()})"
            piece = os.read(self._back, 1 << 20)
            assert piece, f"the browser has ended (exit {self._process.poll()})"
            self._held += piece
        line, _, rest = bytes(self._held).partition(b"\0")
        self._held = bytearray(rest)
        message: dict[str, Any] = json.loads(line)
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.consoleAPICalled":
                self.console.append(json.dumps(params["args"]))
            case "Runtime.exceptionThrown":
                self.console.append(json.dumps(params["exceptionDetails"]))
            case "Log.entryAdded":
                self.console.append(params["entry"]["text"])
        return message


@contextmanager
def chromium(place: Path) -> Iterator[Chromium]:
    """A browser whose profile lies in `place`. It knows no proxy, and must not need a network."""
    found = program()
    assert found is not None
    theirs_in, to = os.pipe()
    back, theirs_out = os.pipe()
    options = [
        "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={place / 'profile'}", "--disable-gpu",
        "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-extensions",
        "--disable-sync", "--hide-scrollbars", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND",
        *(["--no-sandbox"] if os.getuid() == 0 else []),
    ]  # fmt: skip
    # It reads from 3 and writes to 4, wherever these pipes are here.
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", found, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(place), "DBUS_SESSION_BUS_ADDRESS": "disabled:"},
        pass_fds=(theirs_in, theirs_out),
        start_new_session=True,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Chromium(process, to, back)
    finally:
        os.close(to)  # at which it ends
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)  # its session is its own
            process.wait()
        os.close(back)
