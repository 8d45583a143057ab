"""Decoding and encoding pictures: the one place where PyAV is met; and only in children with limits.

In: samples of a camera (H.264, H.265, MJPEG). Out: H.264, painted over where a mask lies, smaller where that is asked for.
`python -m longwatch.pictures.child` is the child that the server starts (`recoding.Recoding`), as many at a time as there are `Slots`; the masking child of the recorder
composes the same parts. `still_child` makes one JPEG at a time. Importing this room imports neither PyAV, which only the modules that a child loads do, nor asyncio, which no child here needs:
a child that is started for one picture starts in half the time.
"""

from longwatch.pictures.limits import confine, plain_environment
from longwatch.pictures.slots import Slot, Slots, SlotsFullError
from longwatch.pictures.spans import fitted

__all__ = [
    "Slot",
    "Slots",
    "SlotsFullError",
    "confine",
    "fitted",
    "plain_environment",
]
