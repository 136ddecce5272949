"""A local HTTP server that can misbehave."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves one file under every path but those of `pages`."""

    daemon_threads = True

    def __init__(self, content: bytes, cuts: int, status: int, ranges: bool, pages: dict[str, bytes]) -> None:
        self.content, self.cuts, self.status, self.ranges, self.pages = content, cuts, status, ranges, pages
        self.requests = 0
        self.starts: list[int] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.requests += 1
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", f"{server.url}/here")
            self.end_headers()
            return
        if self.path in server.pages:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(server.pages[self.path])
            return
        if server.status != 200:
            self.send_error(server.status)
            return
        wanted = self.headers.get("Range") if server.ranges else None
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        server.starts.append(start)
        if start >= len(server.content):
            self.send_error(416)
            return
        rest = server.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if server.cuts > 0:
            server.cuts -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@contextmanager
def serve(
    content: bytes, cuts: int = 0, status: int = 200, ranges: bool = True, pages: dict[str, bytes] | None = None
) -> Iterator[Server]:
    """Serve `content`; the first `cuts` answers break off halfway."""
    server = Server(content, cuts, status, ranges, pages or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
