"""Exports as jobs of the server: asked for with a reason, made one after another, kept for a while, fetched, and gone.

Comes in: what is asked for (`Order`), a `Maker` that makes one file (the composition root starts a child for it), how long footage may
be kept. Promises: a job that was accepted is made, also after the server was killed in the midst of it; files that are whole stay whole;
nothing outlives the setting, or the maximum age of the footage in it; what does not fit is refused before it begins. The rows stand in
`server.db`, the files in a folder of their own. Owner of both: `ExportDesk`, on the server's loop.
"""

from longwatch.exports.desk import ExportDesk, Maker, Options
from longwatch.exports.jobs import ExportedFile, Job, Kind, Order, State, file_name, parts_of
from longwatch.exports.progress import Progress
from longwatch.exports.store import ExportStore

__all__ = [
    "ExportDesk",
    "ExportStore",
    "ExportedFile",
    "Job",
    "Kind",
    "Maker",
    "Options",
    "Order",
    "Progress",
    "State",
    "file_name",
    "parts_of",
]
