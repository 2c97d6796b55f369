"""An HTTP API that answers as it is told and checks what it is asked, for failures a real server does not give."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Reply:
    """What to answer.

    Attributes:
        says_bytes: The content length to claim; that of the body where left out.
        wait: Called before the body is sent.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    says_bytes: int | None = None
    wait: Callable[[], object] = lambda: None


def found(*series: Mapping[str, Any], kind: str = "matrix") -> Reply:
    """Answer a query with series."""
    body = {"status": "success", "data": {"resultType": kind, "result": list(series)}}
    return Reply(body=json.dumps(body).encode())


def refused(status: int, why: str, **headers: str) -> Reply:
    """Answer with an error."""
    body = {"status": "error", "errorType": "execution", "error": why}
    return Reply(status, json.dumps(body).encode(), {name.replace("_", "-"): text for name, text in headers.items()})


def always(reply: Reply) -> Callable[[int, dict[str, str]], Reply]:
    """Answer every request alike."""
    return lambda number, parameters: reply


@dataclass
class FakeApi:
    """What was asked so far.

    Attributes:
        url: Where it listens.
        asked: The parameters of each request, with its endpoint as ``endpoint``.
        authorizations, hosts: The ``Authorization`` and the ``Host`` of each request.
    """

    url: str
    asked: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    hosts: list[str | None] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[int, dict[str, str]], Reply]) -> Iterator[FakeApi]:
    """Serve an API that answers a request by its number, from 1, and its parameters."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked = dict(parse_qsl(content)) | {"endpoint": self.path.removeprefix("/api/v1/")}
            with lock:
                api.asked.append(asked)
                api.authorizations.append(self.headers.get("Authorization"))
                api.hosts.append(self.headers.get("Host"))
                number = len(api.asked)
            reply = answer(number, asked)
            self.send_response(reply.status)
            size = len(reply.body) if reply.says_bytes is None else reply.says_bytes
            for name, text in {"Content-Length": str(size), **reply.headers}.items():
                self.send_header(name, text)
            self.end_headers()
            try:
                self.wfile.flush()
                reply.wait()
                self.wfile.write(reply.body)
            except OSError:
                pass  # the client had enough
            if reply.says_bytes is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api = FakeApi(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def trickling(first: bytes, most: int) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one connection at a time: the beginning of an answer, then a byte every 50 ms as long as anybody listens.

    Args:
        first: What is sent at once.
        most: After so many bytes it hangs up.
    """
    sent: list[bytes] = []
    ended = threading.Event()

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(first)
                while len(sent) < most and not ended.wait(0.05):
                    connection.sendall(b"x")
                    sent.append(b"x")
        except OSError:
            pass  # the client had enough

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", sent
        finally:
            ended.set()
            thread.join()
