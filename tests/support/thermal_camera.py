"""A thermal camera's HTTP side: a real server on loopback that gives one still, behind a Digest login where it is told to."""

from __future__ import annotations

import base64
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

REALM, NONCE = "thermal", "f00d"


class ThermalCamera:
    """body: what it gives from now on. status: of its answers. asked: requests that were let in; refused: those without a login. logins: how each request
    wanted to be let in.
    """

    def __init__(self, body: bytes = b"", login: tuple[str, str] | None = None, scheme: str = "Digest") -> None:
        self.body = body
        self.login = login
        self.scheme = scheme
        self.logins: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.asked = 0
        self.refused = 0
        self.port = 0

    def url(self, path: str = "/thermal.png?format=raw") -> str:
        """Where it is, with its login."""
        login = f"{self.login[0]}:{self.login[1]}@" if self.login else ""
        return f"http://{login}127.0.0.1:{self.port}{path}"

    def lets_in(self, method: str, path: str, authorization: str) -> bool:
        """Digest without qop (RFC 2069), as many cameras speak it."""
        self.logins.append(authorization.partition(" ")[0])
        if self.login is None:
            return True
        if self.scheme == "Basic":
            return authorization == "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        said = dict(re.findall(r'(\w+)="?([^",]+)"?', authorization))

        def hashed(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        first = hashed(f"{self.login[0]}:{REALM}:{self.login[1]}")
        return said.get("response") == hashed(f"{first}:{NONCE}:{hashed(f'{method}:{path}')}")


@contextmanager
def thermal_camera(
    body: bytes = b"", login: tuple[str, str] | None = None, scheme: str = "Digest"
) -> Iterator[ThermalCamera]:
    """It runs until the block ends."""
    camera = ThermalCamera(body, login, scheme)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not camera.lets_in("GET", self.path, self.headers.get("Authorization", "")):
                camera.refused += 1
                self.send_response(401)
                nonce = f', nonce="{NONCE}"' if camera.scheme == "Digest" else ""
                self.send_header("WWW-Authenticate", f'{camera.scheme} realm="{REALM}"{nonce}')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            camera.asked += 1
            self.send_response(camera.status)
            for name, value in camera.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(camera.body)))
            self.end_headers()
            self.wfile.write(camera.body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    camera.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield camera
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def centikelvin(celsius: NDArray[np.float64]) -> NDArray[np.uint16]:
    """As a Lepton with TLinear gives it: hundredths of a kelvin."""
    return np.rint((celsius + 273.15) * 100).astype(np.uint16)


def png(levels: NDArray[np.uint16]) -> bytes:
    """A PNG of 16-bit grey, by OpenCV."""
    made, data = cv2.imencode(".png", levels)
    assert made
    return data.tobytes()


def tiff(levels: NDArray[np.uint16], compression: int = 1) -> bytes:
    """A TIFF of 16-bit grey, by OpenCV (libtiff). compression: of TIFF, 1 none, 5 LZW, 8 deflate."""
    made, data = cv2.imencode(".tiff", levels, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    assert made
    return data.tobytes()


def scene(hot: float, *, width: int = 160, height: int = 120, ground: float = 20.0) -> NDArray[np.float64]:
    """Degrees Celsius: a ground that is a little warmer to the right, and something hot of 8 x 8 pixels whose corner lies at (100, 40)."""
    picture = np.full((height, width), ground) + np.linspace(0.0, 2.0, width)[None, :]
    picture[40:48, 100:108] = hot
    return picture
