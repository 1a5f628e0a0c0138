"""A demo server as a user starts it: its own process, its own data folder, real sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, Final

START_S: Final = 120.0  # a loaded machine compiles kernels and fetches history in this time
_ADDRESS: Final = re.compile(r"Sextant answers on (http://\S+)")
_PASSWORD: Final = re.compile(r"with the password (\S+) \(shown once\)")
OWN: Final = ""  # stands for the token of the demo's person
_COMPLETE: Final = "Long frames are complete"
ANSWERS: Final = "Sextant answers on"


@dataclass
class Answer:
    """What the server said; header names in lower case."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Demo:
    """One demo server over its life, restarts included."""

    folder: Path
    instruments: int = 24
    process: subprocess.Popen[bytes] | None = None
    address: str = ""
    password: str = ""
    token: str = ""
    starts: int = field(default=0)

    def start(self, told_by: str = _COMPLETE) -> Demo:
        """Start it and wait for a line of its own; without one named, until its long frames are complete."""
        self.starts += 1
        told = self.folder / f"told-{self.starts}.log"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SEXTANT_")}
        environ |= {"SEXTANT_DATA_DIR": str(self.folder / "data")}
        command = [
            sys.executable,
            "-m",
            "sextant",
            "demo",
            "--port",
            "0",
            "--instruments",
            str(self.instruments),
        ]
        with told.open("wb") as output:
            self.process = subprocess.Popen(command, stderr=output, stdout=output, env=environ)
        end = time.monotonic() + START_S
        while told_by not in (text := told.read_text()):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the demo did not come up:\n{text}")
            time.sleep(0.1)
        address = _ADDRESS.search(text)
        if address is None:
            raise AssertionError(f"the demo names no address:\n{text}")
        self.address = address[1]
        password = _PASSWORD.search(text)
        if password is not None:
            self.password = password[1]
        if not self.token:
            self.token = self.log_in()
        return self

    def log_in(self) -> str:
        """A fresh access token of the demo's person."""
        body = {"email": "demo@example.org", "password": self.password}
        answer = self.ask("POST", "/api/v1/auth/login", body, token=None)
        if answer.status != 200:
            raise AssertionError(f"login answered {answer.status}: {answer.body}")
        return str(answer.body["access_token"])

    def ask(self, method: str, path: str, body: Any = None, token: str | None = OWN) -> Answer:
        """The answer to one request; its own person logs in anew when the token's quarter of an hour is over."""
        answer = self._ask(method, path, body, self.token if token is OWN else token)
        if answer.status == 401 and token is OWN:
            self.token = self.log_in()
            answer = self._ask(method, path, body, self.token)
        return answer

    def _ask(self, method: str, path: str, body: Any, token: str | None) -> Answer:
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers, method=method)  # noqa: S310  # loopback
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # loopback
                return Answer(answer.status, json.loads(answer.read() or b"null"), _lower(answer.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, json.loads(error.read() or b"null"), _lower(error.headers))

    def kill(self) -> None:
        """End it as the kernel does when memory is out: without a word."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(30)

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
