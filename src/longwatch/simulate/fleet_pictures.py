"""Small real JPEGs, each another: one picture is encoded once, and who and when stands in a comment of each (ITU-T T.81, B.2.4.5)."""

from __future__ import annotations

import functools
import hashlib

from longwatch.base.errors import LongwatchError
from longwatch.model.uplink import ObjectInfo

_WIDTH, _HEIGHT = 320, 180


@functools.cache
def _base() -> bytes:
    """A grey slope."""
    import av
    from av.video.frame import VideoFrame

    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = _WIDTH, _HEIGHT, "yuvj420p"
    context.time_base = 1  # type: ignore[assignment]  # a fraction is taken as any number
    frame = VideoFrame(_WIDTH, _HEIGHT, "yuvj420p")
    for plane, data in zip(frame.planes, (bytes(range(256)), b"\x80", b"\x80"), strict=True):
        plane.update((data * (plane.buffer_size // len(data) + 1))[: plane.buffer_size])
    packets = [*context.encode(frame), *context.encode(None)]
    return bytes(packets[0])


def picture(post: str, camera: str, at_us: int) -> bytes:
    """The JPEG of this camera and moment; the same each time."""
    base = _base()
    comment = f"{post} {camera} {at_us}".encode()
    return base[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + base[2:]


def info_of(post: str, camera: str, at_us: int) -> ObjectInfo:
    """What is offered of it."""
    data = picture(post, camera, at_us)
    return ObjectInfo(hashlib.sha256(data).digest(), len(data), "picture", post, camera, "main", at_us=at_us)


class Pictures:
    """`model.uplink.ObjectSource`: nothing is kept, each is made when it is sent."""

    def read(self, info: ObjectInfo, offset: int, size: int) -> bytes:
        """Bytes of one."""
        data = picture(info.post, info.camera, info.at_us)
        if len(data) != info.size:
            raise LongwatchError("no picture of this fleet")
        return data[offset : offset + size]
