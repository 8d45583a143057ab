"""Hours promised and hours delivered, per camera, post, day and week: worked out here, and written as HTML, CSV and JSON.

Comes in: an archive that is only read, and a `Wish`. `gather` makes a `Report` of values; `page`, `as_csv` and `as_json` write it;
`checking` proves later that a report is the one a post's ledger speaks of. Promise: in every row recorded, gaps and what is not known
yet add up to the time that went by, to the microsecond. docs/ref/report.md says what each figure means.
"""

from longwatch.reports.checking import Checked, check
from longwatch.reports.figures import Figures, Unwanted
from longwatch.reports.gathering import Source, Wish, gather, usual_span
from longwatch.reports.page import page
from longwatch.reports.report import Post, Report
from longwatch.reports.tables import as_csv, as_json

__all__ = [
    "Checked",
    "Figures",
    "Post",
    "Report",
    "Source",
    "Unwanted",
    "Wish",
    "as_csv",
    "as_json",
    "check",
    "gather",
    "page",
    "usual_span",
]
