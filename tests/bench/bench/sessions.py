"""Sessions of the legacy era and their streams, many at a time, over sockets of their own."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection
from types import TracebackType
from urllib.parse import urlsplit

from testkit import mcp

# One of before the newest: what older clients still speak.
PROTOCOL = "2025-06-18"


class Sessions:
    """Opens sessions, then their streams; ends all of them at the end of the block."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._path = parts.path
        self._headers = {**mcp.credential(key), "Accept": mcp.ACCEPT}
        self._ids: list[str] = []
        self._streams: list[socket.socket] = []
        # A connection that carried too many requests or rested too long is closed by the server.
        self._http = HTTPConnection(*self._address, timeout=60)

    def __enter__(self) -> Sessions:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self._streams:
            stream.close()
        for session in self._ids:
            self._send("DELETE", None, session, {200, 202, 204, 404})
        self._http.close()

    def open(self, count: int) -> None:
        """Open that many sessions, without streams."""
        for _session in range(count):
            session = self._send("POST", mcp.initialize("bench", PROTOCOL), None, {200})
            self._send("POST", mcp.INITIALIZED, session, {202})
            self._ids.append(session)

    def listen(self) -> None:
        """Open the stream of each session that is open."""
        for session in self._ids[len(self._streams) :]:
            stream = socket.create_connection(self._address, timeout=60)
            head = {
                **self._headers,
                "Host": f"{self._address[0]}:{self._address[1]}",
                **mcp.in_session(session, PROTOCOL),
            }
            lines = [f"GET {self._path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
            stream.sendall("\r\n".join(lines).encode())
            status = stream.recv(4096).split(b"\r\n", 1)[0]
            if b" 200" not in status:
                raise SystemExit(f"A stream was refused: {status!r}")
            self._streams.append(stream)

    def _send(self, method: str, message: dict[str, object] | None, session: str | None, statuses: set[int]) -> str:
        headers = dict(self._headers)
        if session:
            headers |= mcp.in_session(session, PROTOCOL)
        body = None
        if message:
            headers["Content-Type"] = "application/json"
            body = json.dumps(message)
        self._http.request(method, self._path, body, headers)
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status not in statuses:
            raise SystemExit(f"{method} of a session was answered {answer.status}: {text[:300]!r}")
        return answer.headers.get("Mcp-Session-Id", session or "")
