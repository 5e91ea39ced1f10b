"""A headless Chromium, spoken to in its DevTools protocol through a pair of pipes.

    with Chromium(profile) as browser:
        page = browser.open(path, width=360, dark=True)
        page.errors, page.requests, page.evaluate("document.title")

The protocol: https://chromedevtools.github.io/devtools-protocol/, messages of JSON that end in NUL.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
SECONDS = 60


def program() -> str | None:
    """Where a Chromium lies, if there is one in PATH."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


needs_chromium = pytest.mark.skipif(program() is None, reason="no Chromium found")


class Page:
    """One tab, and what it has done since it was opened.

    Attributes:
        errors: what was written to the console as an error, exceptions, and the browser's own
            complaints.
        requests: addresses that were asked for.
        failed: requests that came to nothing.
    """

    def __init__(self, browser: "Chromium", session: str) -> None:
        self._browser, self._session = browser, session
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.failed: list[str] = []

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def load(self, path: Path) -> None:
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._browser.wait("Page.loadEventFired", self._session)
        # A page that asks for something late would do so by now.
        self.evaluate("new Promise(done => setTimeout(done, 300))")
        for method, told in self._browser.events(self._session):
            self._note(method, told)

    def evaluate(self, expression: str) -> Any:
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, path: Path, top: float = 0, height: float | None = None) -> None:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": top,
            "width": size["width"],
            "height": min(height or size["height"], size["height"] - top),
            "scale": 1,
        }
        shot = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _note(self, method: str, told: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Network.loadingFailed":
            self.failed.append(told["errorText"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(told["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"):
            self.errors.append(str(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(told["entry"]["text"])


class Chromium:
    """A browser of its own, with an empty profile.

    Args:
        profile: directory for what it writes.
    """

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._number = 0
        self._events: list[tuple[str | None, str, dict[str, Any]]] = []
        self._answers: dict[int, dict[str, Any]] = {}
        self._rest = b""

    def __enter__(self) -> Self:
        found = program()
        assert found is not None
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        # The browser reads at descriptor 3 and writes at 4.
        script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["bash", "-c", script, "bash", found, *FLAGS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={self._profile}", "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        return self

    def __exit__(self, *raised: object) -> None:
        with suppress(AssertionError, OSError):
            self.call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def open(self, path: Path, width: int, height: int = 800, dark: bool = False) -> Page:
        """Opens a file in a new tab of a size."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.load(path)
        return page

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + SECONDS
        while self._number not in self._answers:
            self._read(until)
        answer = self._answers.pop(self._number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, method: str, session: str) -> None:
        until = time.monotonic() + SECONDS
        while not any(s == session and m == method for s, m, _ in self._events):
            self._read(until)

    def events(self, session: str) -> Iterator[tuple[str, dict[str, Any]]]:
        return ((method, told) for of, method, told in self._events if of == session)

    def _read(self, until: float) -> None:
        ready, _, _ = select.select([self._from], [], [], max(until - time.monotonic(), 0))
        assert ready, f"Chromium has not answered within {SECONDS} s"
        content = os.read(self._from, 1 << 20)
        assert content, "Chromium has ended"
        *messages, self._rest = (self._rest + content).split(b"\0")
        for text in messages:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                told = (message.get("sessionId"), message["method"], message["params"])
                self._events.append(told)
