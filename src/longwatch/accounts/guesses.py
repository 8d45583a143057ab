"""What everybody tries first, and therefore nobody may choose. Pure.

A list of the commonest passwords that are long enough would be ten thousand lines that are variations of a few hundred words: so
a password is folded (case, look-alike figures and signs, what hangs on at both ends) and its core is looked up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_LOOK_ALIKE = str.maketrans(
    {
        "0": "o",
        "1": "i",
        "3": "e",
        "4": "a",
        "5": "s",
        "7": "t",
        "8": "b",
        "9": "g",
        "@": "a",
        "$": "s",
        "!": "i",
        "|": "l",
    }
)
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn",
    "01234567890123456789", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "q1w2e3r4t5y6u7i8o9p0", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgbyhnujmikolp",
    "1a2b3c4d5e6f7g8h9i0j", "a1b2c3d4e5f6g7h8i9j0", "zaq12wsxcde34rfvbgt56yhn",
)  # fmt: skip
_COMMON = frozenset(
    [
        "aaaaaa",
        "access",
        "account",
        "achmed",
        "admin",
        "administrator",
        "adminadmin",
        "alexander",
        "alexandra",
        "america",
        "andrea",
        "andrew",
        "angel",
        "angels",
        "anthony",
        "apple",
        "arsenal",
        "asdf",
        "asdfasdf",
        "asdfgh",
        "ashley",
        "azerty",
        "babygirl",
        "backup",
        "bailey",
        "banana",
        "barcelona",
        "baseball",
        "basketball",
        "batman",
        "beautiful",
        "biteme",
        "blessed",
        "blink",
        "bonjour",
        "booboo",
        "butterfly",
        "buster",
        "camera",
        "cameras",
        "cctv",
        "changeit",
        "changeme",
        "charlie",
        "cheese",
        "chelsea",
        "chocolate",
        "chris",
        "christ",
        "christian",
        "coffee",
        "computer",
        "cookie",
        "corvette",
        "cowboy",
        "dallas",
        "daniel",
        "database",
        "default",
        "demo",
        "desktop",
        "diamond",
        "doctor",
        "dolphin",
        "donald",
        "dragon",
        "eagles",
        "einstein",
        "elephant",
        "elizabeth",
        "embedded",
        "england",
        "estrella",
        "facebook",
        "family",
        "ferrari",
        "flower",
        "football",
        "forever",
        "freedom",
        "friend",
        "friends",
        "garfield",
        "george",
        "ginger",
        "google",
        "guest",
        "guitar",
        "hahaha",
        "hannah",
        "harley",
        "heather",
        "hello",
        "helloworld",
        "hockey",
        "home",
        "hunter",
        "iceman",
        "iloveyou",
        "iloveu",
        "incorrect",
        "infinity",
        "internet",
        "jackson",
        "jasmine",
        "jennifer",
        "jessica",
        "jesus",
        "jesuschrist",
        "jordan",
        "joshua",
        "justin",
        "karate",
        "killer",
        "kubernetes",
        "lakers",
        "letmein",
        "letmeinnow",
        "linkedin",
        "linux",
        "liverpool",
        "login",
        "longwatch",
        "love",
        "lovely",
        "loveme",
        "loveyou",
        "machine",
        "maggie",
        "manager",
        "marina",
        "master",
        "matrix",
        "maverick",
        "melissa",
        "mercedes",
        "merlin",
        "metallica",
        "michael",
        "michelle",
        "microsoft",
        "minecraft",
        "money",
        "monitor",
        "monkey",
        "monster",
        "morgan",
        "mother",
        "motdepasse",
        "mustang",
        "mypassword",
        "naruto",
        "nicholas",
        "nicole",
        "nothing",
        "nvr",
        "oracle",
        "orange",
        "palmer",
        "pass",
        "passcode",
        "passion",
        "passphrase",
        "passport",
        "passw0rd",
        "passwd",
        "password",
        "passwordpassword",
        "patrick",
        "peanut",
        "pepper",
        "personal",
        "phoenix",
        "picture",
        "pokemon",
        "porsche",
        "power",
        "princess",
        "princesa",
        "private",
        "public",
        "purple",
        "qazwsx",
        "querty",
        "qwer",
        "qwerty",
        "qwertyqwerty",
        "raspberry",
        "raspberrypi",
        "recorder",
        "rainbow",
        "ranger",
        "redsox",
        "root",
        "rootroot",
        "samantha",
        "samsung",
        "sandra",
        "sarah",
        "scooter",
        "secret",
        "security",
        "server",
        "service",
        "shadow",
        "silver",
        "skywalker",
        "snoopy",
        "soccer",
        "spiderman",
        "spring",
        "starwars",
        "steelers",
        "summer",
        "sunshine",
        "super",
        "superman",
        "superuser",
        "supervisor",
        "support",
        "surveillance",
        "switch",
        "sysadmin",
        "system",
        "taylor",
        "teacher",
        "temp",
        "temporary",
        "tennis",
        "test",
        "tester",
        "testing",
        "testtest",
        "thomas",
        "thunder",
        "tigger",
        "tinkerbell",
        "toor",
        "toyota",
        "trustme",
        "trustno",
        "trustnoone",
        "ubuntu",
        "unknown",
        "upload",
        "user",
        "username",
        "vampire",
        "vanessa",
        "vegeta",
        "victoria",
        "video",
        "viewer",
        "vision",
        "watchtower",
        "welcome",
        "welcomehome",
        "whatever",
        "william",
        "windows",
        "winner",
        "winter",
        "wizard",
        "work",
        "xbox",
        "yankees",
        "yellow",
        "zxcvbn",
        "zxcvbnm",
        "contrasena",
        "contraseña",
        "karibu",
        "nenosiri",
        "autumn",
    ]
)  # one word a line would be four pages
_LONGEST_CORE = 40


def easy(password: str, words: Sequence[str] = ()) -> str:
    """Why this is guessed at once; "" where it is not. words: what whoever guesses knows of its user and of the post."""
    plain = unicodedata.normalize("NFKC", password).casefold()
    letters = re.sub(r"[^\w]|_", "", plain)
    if len(set(plain)) < 4:
        return "it is the same few characters again and again"
    if _repeats(letters or plain) or _repeats(plain):
        return "it is one short piece again and again"
    if _is_run(letters):
        return "its characters stand in a row on the keyboard or in the alphabet"
    known = {_folded(part) for word in words for part in (word, *re.split(r"\W+", word)) if len(part) > 3}
    for core in {
        _core(plain),
        _folded(_core(plain)),
        _core(_folded(plain)),
        _folded(letters),
        re.sub(r"\d", "", letters),
    }:
        if core in _COMMON:
            return "it is a word that everybody tries, with something hung on"
        if core in known:
            return "it is a name that everybody here knows, with something hung on"
    core = _folded(_core(plain))
    if len(core) < 3:
        return ""
    if len(_without(core, known)) < 3:
        return "it is a name that everybody here knows, with something hung on"
    if len(_without(core, {word for word in _COMMON if len(word) > 4})) < 3:
        return "it is made of words that everybody tries"
    return ""


def _without(text: str, words: Iterable[str]) -> str:
    """What is left of it besides these words, the longest first."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    return text


def _folded(text: str) -> str:
    return re.sub(r"[^\w]|_", "", unicodedata.normalize("NFKC", text).casefold().translate(_LOOK_ALIKE))


def _core(plain: str) -> str:
    """Without what is no letter at both ends."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)[:_LONGEST_CORE]


def _repeats(text: str) -> bool:
    """Whether it is a piece of at most a third of it (or of four characters) again and again."""
    return any(
        (text[:size] * (len(text) // size + 1))[: len(text)] == text
        for size in range(1, max(4, len(text) // 3) + 1)
        if size * 2 <= len(text)
    )


def _is_run(text: str) -> bool:
    """Whether it is rows of keys or letters, up or down, each of four or more, and nothing else."""
    rest, pieces = text, 0
    while rest:
        size = max(
            (n for n in range(4, len(rest) + 1) if any(rest[:n] in row or rest[:n] in row[::-1] for row in _ROWS)),
            default=0,
        )
        if not size:
            return pieces > 0 and len(rest) < 3
        rest, pieces = rest[size:], pieces + 1
    return pieces > 0
