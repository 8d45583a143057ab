"""A bucket on loopback that speaks as much of S3 as the media store needs, and can be told to fail. It checks that requests are signed, not by whom."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Bucket:
    """objects: by path. failing: while set, every request is answered with this status. asked: what was asked, in order."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.failing: int | None = None
        self.asked: list[str] = []
        self.address = ""

    def handle(self, request: BaseHTTPRequestHandler) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers."""
        size = int(request.headers.get("Content-Length") or 0)
        given = request.rfile.read(size)
        self.asked.append(f"{request.command} {request.path}")
        if self.failing is not None:
            return self.failing, b"<Error><Code>SlowDown</Code></Error>", {}
        if "AWS4-HMAC-SHA256" not in request.headers.get("Authorization", ""):
            return 403, b"<Error><Code>AccessDenied</Code></Error>", {}
        path = request.path.partition("?")[0]
        if request.command == "PUT":
            self.objects[path] = given
            return 200, b"", {"ETag": '"x"'}
        if request.command == "POST":  # several at once: DeleteObjects
            names = re.findall(rb"<Key>([^<]+)</Key>", given)
            for name in names:
                self.objects.pop(f"{path}/{name.decode()}", None)
            told = b"".join(b"<Deleted><Key>" + name + b"</Key></Deleted>" for name in names)
            return (
                200,
                b'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' + told + b"</DeleteResult>",
                {},
            )
        found = self.objects.get(path)
        if found is None:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>", {}
        headers = {"ETag": '"x"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        asked = request.headers.get("Range")
        if asked is None:
            return 200, found, headers
        first, last = (int(each) for each in asked.removeprefix("bytes=").split("-"))
        part = found[first : last + 1]
        return 206, part, {**headers, "Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(found)}"}


@contextlib.contextmanager
def bucket() -> Iterator[Bucket]:
    """Running, and away with it."""
    made = Bucket()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            status, body, headers = made.handle(self)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = answer  # noqa: N815 - as http.server calls them

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
