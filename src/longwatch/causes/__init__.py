"""Evidence to cause, as the decision table of docs/design/causes.md. Pure.

`decide` takes all that is known of why there is no video and gives the one cause, with the evidence that speaks for it and,
where several things look the same from here, what could not be told apart. `evidence` the nouns; `witnesses` what the
surroundings of a camera say, and how far that is believed; `restarted`, `went_on` and `takes_back` what later
evidence makes of an earlier word.
"""

from longwatch.causes.decision import (
    CAUSE_OF_FAULT,
    DARK,
    RESTART_US,
    TakenBack,
    decide,
    restarted,
    takes_back,
    went_on,
)
from longwatch.causes.evidence import Evidence, Restart, Verdict

__all__ = [
    "CAUSE_OF_FAULT",
    "DARK",
    "RESTART_US",
    "Evidence",
    "Restart",
    "TakenBack",
    "Verdict",
    "decide",
    "restarted",
    "takes_back",
    "went_on",
]
