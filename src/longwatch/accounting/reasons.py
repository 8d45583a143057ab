"""The reason that a person gives: short, one line, of characters that can be read. Kept beside the ledger, and erased with its person."""

from __future__ import annotations

import unicodedata

from longwatch.base.errors import UsageError

LONGEST = 500
"""Characters."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # words of some scripts are spelt with them


def reason_of(given: object, *, needed: bool = True) -> str:
    """The reason, in Unicode NFC and without space around it. Raises UsageError where there is none, or it cannot be one.

    needed: False gives "" where nothing was said.
    """
    if given is None or given == "":
        if needed:
            raise UsageError("this asks for a reason", remedy="say why, in a few words; it is kept with the entry")
        return ""
    if not isinstance(given, str):
        raise UsageError("a reason is text")
    if len(given) > 4 * LONGEST:
        raise UsageError(f"a reason has at most {LONGEST} characters", why=f"this one has {len(given)}")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise UsageError("a reason is Unicode text") from None
    text = unicodedata.normalize("NFC", given).strip()
    if any(unicodedata.category(letter) in _UNSEEN and letter not in _JOINERS for letter in text):
        raise UsageError("a reason is one line, without control characters")
    if len(text) > LONGEST:
        raise UsageError(f"a reason has at most {LONGEST} characters", why=f"this one has {len(text)}")
    if not any(character.isalnum() for character in text):
        raise UsageError("this asks for a reason", remedy="say why, in a few words; it is kept with the entry")
    return text
