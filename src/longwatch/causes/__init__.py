"""Evidence to cause, as the decision table of docs/design/causes.md. Pure.

`decide` takes all that is known of why there is no video and gives the one cause, with the evidence that speaks for it and,
where several things look the same from here, what could not be told apart.
"""

from longwatch.causes.decision import CAUSE_OF_FAULT, Evidence, Restart, Verdict, decide

__all__ = ["CAUSE_OF_FAULT", "Evidence", "Restart", "Verdict", "decide"]
