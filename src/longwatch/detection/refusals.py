"""Models that are not run here: what tells people apart, or reads what leads to a person. Detection speaks of classes, never of who. Pure.

A manifest is the word of whoever brought the model, so the names in it are asked, and so are the model's own: inputs, outputs and what its exporter wrote into it.
What it says of a picture is asked too: a row of numbers for a whole picture is a fingerprint to compare, and more numbers for a box than classes explain are landmarks
of a face or of a body. A model under false names and with boxes alone passes; its classes are then mapped to seven words all the same, and no picture of it is kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

_PEOPLE = "it tells people apart, or looks for what does"
_PLATES = "it looks for number plates, which lead to a person"
_AGAIN = "it makes fingerprints by which the same one is known again"
_BODIES = "it gives landmarks of bodies or faces, not boxes alone"
REFUSED: dict[str, str] = {
    **dict.fromkeys(("face", "faces", "facial", "faceid", "facenet", "arcface", "cosface", "sphereface", "insightface", "retinaface", "blazeface", "yoloface", "scrfd", "yunet", "sface", "adaface", "magface", "eye", "eyes", "iris", "ear", "mouth", "nose", "gait", "fingerprint"), _PEOPLE),
    **dict.fromkeys(("deepface", "headface", "openface", "gesicht", "gesichter", "visage", "visages", "rostro", "rostros"), _PEOPLE),
    **dict.fromkeys(("kennzeichen", "nummernschild", "matricula", "matriculas", "immatriculation"), _PLATES),
    **dict.fromkeys(("gender", "male", "female", "age", "ethnicity", "race", "emotion", "emotions", "identity", "identities"), _PEOPLE),
    **dict.fromkeys(("plate", "plates", "licenseplate", "licenceplate", "numberplate", "lpr", "alpr", "anpr", "lprnet", "lp", "ocr"), _PLATES),
    **dict.fromkeys(("reid", "reidentification", "osnet", "embedding", "embeddings", "embed", "feat", "feats", "feature", "features", "descriptor"), _AGAIN),
    **dict.fromkeys(("landmark", "landmarks", "ldmk", "keypoint", "keypoints", "kpt", "kpts", "kps", "pose", "skeleton"), _BODIES),
}  # fmt: skip
"""A word in a name, and why a model with it is not run."""
_PAIRS = {
    ("re", "id"): "reid",
    ("re", "identification"): "reidentification",
    ("key", "point"): "keypoint",
    ("key", "points"): "keypoints",
    ("person", "id"): "identity",
}
_OTHER_LETTERS = (
    (re.compile(r"人脸|人臉|顔|얼굴|\bлиц(?:о|а|евой)\b"), _PEOPLE),
    (re.compile(r"车牌|車牌|ナンバープレート|번호판|номерн\w+ знак"), _PLATES),
)
_LOOKALIKES = str.maketrans("авеіјкмнорѕсттухԁɡӏοαερνικτυ", "abeijkmhopscttyxdgloaepviktu")
"""Letters of other alphabets that look like Latin ones."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_COMPOUND = re.compile(
    r"face(?:detect|recog|rec|id|net|mask|landmark|embed)|(?:licen[cs]e|number|registration|car|vehicle)[ _-]?plate|re[ _-]?id(?:entif|$|[ _-])|platedetect|platerecog"
)


def refused(names: Iterable[str]) -> str:
    """What is refused about names, in words; "" where nothing is."""
    for name in names:
        if why := _why_not(name):
            return f"{name[:60]!r}: {why}"
    return ""


def _why_not(name: str) -> str:
    as_written = unicodedata.normalize("NFKC", name).lower()
    for pattern, why in _OTHER_LETTERS:
        if pattern.search(as_written):
            return why
    plain = _plain(name)
    if found := _COMPOUND.search(plain.lower()):
        said = found.group()
        if "plate" in said:
            return _PLATES
        return _AGAIN if said.startswith("re") and "registration" not in said else _PEOPLE
    words = [word.lower() for word in _WORD.findall(plain)]
    words += [joined for pair in pairwise(words) if (joined := _PAIRS.get(pair)) is not None]
    return next((REFUSED[word] for word in words if word in REFUSED), "")


def _plain(name: str) -> str:
    """In Latin letters as they look: without accents, letters that are not seen, wide forms, and letters of other alphabets that only look like others."""
    apart = unicodedata.normalize("NFKD", name)
    seen = [letter for letter in apart if unicodedata.category(letter) not in {"Mn", "Cf", "Cc"}]
    return "".join(
        alike.upper() if each.isupper() else alike for each in seen for alike in [each.lower().translate(_LOOKALIKES)]
    )
