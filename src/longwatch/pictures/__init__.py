"""Decoding and encoding pictures: the one place, beside stills, where PyAV is met; and only in children with limits.

In: samples of a camera (H.264, H.265, MJPEG). Out: H.264, painted over where a mask lies, smaller where that is asked for.
`python -m longwatch.pictures.child` is the child that the server starts (`Recoding`), as many at a time as there are `Slots`; the masking child of the recorder
composes the same parts. Importing this room does not import PyAV: only the modules that a child loads do.
"""

from longwatch.pictures.limits import confine, killed_first, plain_environment
from longwatch.pictures.recoding import CHILD, Recoding, job_frame
from longwatch.pictures.slots import Slot, Slots, SlotsFullError
from longwatch.pictures.spans import fitted

__all__ = [
    "CHILD",
    "Recoding",
    "Slot",
    "Slots",
    "SlotsFullError",
    "confine",
    "fitted",
    "job_frame",
    "killed_first",
    "plain_environment",
]
