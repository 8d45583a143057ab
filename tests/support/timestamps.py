"""A real timestamp authority: `openssl ts -reply` behind HTTP on loopback."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CONFIG = """
[req]
distinguished_name = dn
prompt = no
[dn]
CN = Test
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[tsa]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[stamps]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


class Authority:
    """Keys and certificates of its own in a folder. ca: PEM of its root."""

    def __init__(self, folder: Path, name: str = "Test stamps") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cnf").write_text(_CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        _openssl(
            folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", f"/CN={name} root",
            "-config", "cnf", "-extensions", "ca",
        )  # fmt: skip
        _openssl(folder, "req", *key, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", f"/CN={name}", "-config", "cnf")
        _openssl(
            folder, "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem",
            "-days", "30", "-extfile", "cnf", "-extensions", "tsa",
        )  # fmt: skip
        self.ca = folder / "ca.pem"

    def stamp(self, query: bytes) -> bytes:
        """The answer to a request."""
        (self.folder / "query").write_bytes(query)
        _openssl(
            self.folder, "ts", "-reply", "-config", "cnf", "-section", "stamps", "-queryfile", "query", "-out", "reply"
        )
        return (self.folder / "reply").read_bytes()


@dataclass
class Served:
    """url: where it answers. status, content_type, mangle: how. asked: the requests it got."""

    url: str
    status: int = 200
    content_type: str = "application/timestamp-reply"
    mangle: Callable[[bytes], bytes] = lambda data: data
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def served(authority: Authority) -> Iterator[Served]:
    """Answer until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            how.asked.append(query)
            answer = how.mangle(authority.stamp(query))
            self.send_response(how.status)
            self.send_header("Content-Type", how.content_type)
            for name, value in how.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    how = Served(f"http://127.0.0.1:{server.server_address[1]}/tsr")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield how
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
