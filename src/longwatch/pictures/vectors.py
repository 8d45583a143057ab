"""Where in a picture its encoder saw something move: the motion vectors of one access unit, decoded without those on which it builds. Only children import this.

A picture that builds on others cannot be shown without them. But its motion vectors (H.264 8.4.1) stand in its own slices, and to read and predict them takes no other picture: a decoder that was just emptied puts grey in the
place of what is missing, and gives the very same vectors as one that has it all. So one access unit out of the midst of a group is asked what goes on there for less than half of what a key frame costs, and without the dozens
before it.
"""

from __future__ import annotations

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Codec, Sample, TrackFormat
from longwatch.pictures.form import decoder_config

BLOCK = 16
"""Pixels across a macroblock."""


class Vectors:
    """Of one track format."""

    def __init__(self, track: TrackFormat) -> None:
        """Raises LongwatchError where libav tells no vectors of its codec."""
        if track.codec is not Codec.H264:
            raise LongwatchError(f"motion vectors of {track.codec} cannot be read here")
        context = av.CodecContext.create("h264", "r")
        assert isinstance(context, av.VideoCodecContext)
        context.thread_count = 1
        context.options = {"skip_loop_filter": "all", "flags2": "+fast+export_mvs"}
        context.flags |= Flags.output_corrupt  # what it builds on is missing, on purpose
        context.extradata = decoder_config(track) or None
        self._context = context

    def field(self, sample: Sample) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Of one access unit that builds on others: sums (2 x rows x columns) of the vectors in each macroblock, x and y in pixels, by the part of it that they are of; and that part (rows x columns): the rest of it is coded
        without another picture. None where it gives none.
        """
        packet = av.Packet(sample.data)
        try:
            frames = self._context.decode(packet)
            frames += self._context.decode(None)
        except av.FFmpegError:
            frames = []
        self._context.flush_buffers()
        if len(frames) != 1:
            return None
        frame = frames[0]
        told = frame.side_data.get("MOTION_VECTORS")
        rows, columns = -(-frame.height // BLOCK), -(-frame.width // BLOCK)
        if told is None:
            return np.zeros((2, rows, columns), np.float32), np.zeros((rows, columns), np.float32)
        each = told.to_ndarray()
        across, down = each["dst_x"] // BLOCK, each["dst_y"] // BLOCK
        within = (across >= 0) & (across < columns) & (down >= 0) & (down < rows)
        if not within.all():
            each, across, down = each[within], across[within], down[within]
        place = down.astype(np.intp) * columns + across
        part = each["w"].astype(np.float32) * each["h"] / (BLOCK * BLOCK)
        scale = part / np.maximum(each["motion_scale"], 1)
        size, count = (rows, columns), rows * columns
        sums = [np.bincount(place, scale * each[axis], count).reshape(size) for axis in ("motion_x", "motion_y")]
        return np.array(sums, np.float32), np.bincount(place, part, count).reshape(size).astype(np.float32)
