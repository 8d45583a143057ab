"""What a model answers, in the forms that exporters write, to boxes with a kind. Pure.

| layout | outputs | boxes | own suppression |
|---|---|---|---|
| `yolov5` | 1 x N x (5 + classes), or turned | centre and size in pixels of the input; objectness x class | yes |
| `yolov8` | 1 x (4 + classes) x N, or turned (v8, v9, v11) | centre and size in pixels | yes |
| `yolo-nms` | 1 x N x 6: x0 y0 x1 y1 score class (v10, v8 and v11 with `nms=True`), or N x 7: batch x0 y0 x1 y1 class score (v7), or four outputs num, boxes, scores, classes | corners in pixels | in the export |
| `ssd` | four outputs boxes (y0 x0 y1 x1), classes, scores, num (TensorFlow), or 1 x 1 x N x 7: image class score x0 y0 x1 y1 (Caffe, OpenVINO) | corners in parts | in the export |
| `rtdetr` | logits 1 x N x classes, boxes 1 x N x 4 | centre and size in parts | none needed |
| `rtdetr-yolo` | 1 x N x (4 + classes): as above, in one (Ultralytics) | centre and size in parts | none needed |
| `rtdetr-boxes` | labels, boxes, scores, with an input for the picture's size | corners in pixels of that size | none needed |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longwatch.detection.manifest import Manifest, ModelError
from longwatch.model.events import Box

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
MOST_BOXES = 60_000
"""Rows of an answer: a model with more is none for these sizes."""
_CONSIDERED = 300
_KEPT = 50
_UNSUPPRESSED = frozenset({"yolov5", "yolov8"})
_EXTRA = "the model gives {extra} more numbers for each box than its {count} classes explain: landmarks or outlines, and not boxes alone"


@dataclass(frozen=True, slots=True)
class Found:
    """kind: one of `OBJECTS`. box: in pixels of the model's input, or of what it was mapped back to."""

    kind: str
    score: float
    box: Box


def found_in(outputs: Mapping[str, NDArray[Any]], manifest: Manifest) -> list[Found]:
    """The best first. Raises ModelError for answers of another form."""
    boxes, scores, classes = _answers({name: np.asarray(value) for name, value in outputs.items()}, manifest)
    sound = (
        np.isfinite(boxes).all(axis=1)
        & np.isfinite(scores)
        & (scores >= manifest.threshold)
        & (classes >= 0)
        & (classes < len(manifest.classes))
    )
    boxes, scores, classes = boxes[sound], np.minimum(scores[sound], 1.0), classes[sound]
    best = np.argsort(-scores, kind="stable")[:_CONSIDERED]
    boxes, scores, classes = boxes[best], scores[best], classes[best]
    boxes[:, 0::2] = np.clip(boxes[:, 0::2], 0, manifest.input.width)
    boxes[:, 1::2] = np.clip(boxes[:, 1::2], 0, manifest.input.height)
    some = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
    found = [
        Found(kind, float(score), (float(x0), float(y0), float(x1), float(y1)))
        for (x0, y0, x1, y1), score, number in zip(boxes[some], scores[some], classes[some], strict=True)
        if (kind := manifest.kinds[int(number)])
    ]
    return (suppressed(found, manifest.overlap) if manifest.layout in _UNSUPPRESSED else found)[:_KEPT]


def suppressed(found: Sequence[Found], overlap: float) -> list[Found]:
    """Of boxes of one kind that overlap, the best. found: the best first."""
    kept: list[Found] = []
    for each in found:
        if all(each.kind != one.kind or overlap_of(each.box, one.box) <= overlap for one in kept):
            kept.append(each)
    return kept


def overlap_of(a: Box, b: Box) -> float:
    """Intersection over union."""
    both = shared(a, b)
    return both / max(area(a) + area(b) - both, 1e-12)


def shared(a: Box, b: Box) -> float:
    """Area of what lies in both."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


_Answers = tuple[F32, F32, I64]


def _answers(outputs: dict[str, NDArray[Any]], manifest: Manifest) -> _Answers:
    """(corners in pixels of the input, scores, numbers of classes)."""
    for value in outputs.values():
        if value.size > MOST_BOXES * (MOST_BOXES // 600):
            raise ModelError("the model answers with more than any model for these sizes would")
    layout = manifest.layout
    if layout == "yolov5":
        return _yolo(outputs, manifest, objectness=True)
    if layout == "yolov8":
        return _yolo(outputs, manifest, objectness=False)
    if layout == "yolo-nms":
        return _end_to_end(outputs, manifest)
    if layout == "ssd":
        return _ssd(outputs, manifest)
    if layout == "rtdetr":
        return _detr(outputs, manifest)
    if layout == "rtdetr-yolo":
        rows = _rows(_only(outputs), 4 + len(manifest.classes), len(manifest.classes))
        return _best(_corners(rows[:, :4], *_size(manifest)), rows[:, 4:])
    return _postprocessed(outputs, manifest)


def _size(manifest: Manifest) -> tuple[int, int]:
    return manifest.input.width, manifest.input.height


def _only(outputs: Mapping[str, NDArray[Any]]) -> F32:
    """The one output: beside it only outputs of more dimensions (the grids before it) may stand."""
    three = [value for value in outputs.values() if value.ndim == 3]
    if len(three) != 1:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
        raise ModelError(
            "the model's answer is not of the layout that its manifest names",
            why=f"one output of three dimensions is expected, and there is {shapes[:300]}",
        )
    return three[0].astype(np.float32)


def _rows(value: F32, width: int, count: int) -> F32:
    """1 x N x width, or turned, as N x width."""
    if value.ndim != 3 or value.shape[0] != 1:
        raise ModelError("the model answers for more than one picture, or for none", why=f"{list(value.shape)}")
    one = value[0]
    if one.shape[1] == width and (one.shape[0] != width or one.shape[1] <= one.shape[0]):
        kept: F32 = one
        return kept
    if one.shape[0] == width:
        return np.ascontiguousarray(one.T)
    extra = min(one.shape) - width
    why = (
        _EXTRA.format(extra=extra, count=count)
        if extra > 1
        else f"a box is {width} numbers wide for {count} classes, and here it is {min(one.shape)}"
    )
    raise ModelError(
        "the model's answer does not go with its manifest",
        why=why,
        remedy="compare `layout` and `classes` with the export" if extra <= 1 else "",
    )


def _corners(boxes: F32, wide: float = 1.0, high: float = 1.0) -> F32:
    """From centre and size to corners."""
    x, y, w, h = (boxes[:, n] for n in range(4))
    corners: F32 = np.stack(
        ((x - w / 2) * wide, (y - h / 2) * high, (x + w / 2) * wide, (y + h / 2) * high), axis=1
    ).astype(np.float32)
    return corners


def _best(boxes: F32, scores: F32) -> _Answers:
    """The best class of each."""
    if not len(scores):
        return boxes, np.zeros(0, np.float32), np.zeros(0, np.int64)
    return boxes, scores.max(axis=1), scores.argmax(axis=1)


def _yolo(outputs: Mapping[str, NDArray[Any]], manifest: Manifest, *, objectness: bool) -> _Answers:
    first = 5 if objectness else 4
    rows = _rows(_only(outputs), first + len(manifest.classes), len(manifest.classes))
    scores = rows[:, first:] * rows[:, 4:5] if objectness else rows[:, first:]
    return _best(_corners(rows[:, :4]), scores)


def _end_to_end(outputs: Mapping[str, NDArray[Any]], manifest: Manifest) -> _Answers:
    if len(outputs) >= 4:
        boxes, scores, classes, count = _four(outputs)
        return boxes[:count].copy(), scores[:count], classes[:count] - manifest.first_class
    (value,) = [each for each in outputs.values() if each.ndim in {2, 3}][:1] or [np.zeros((0, 0))]
    rows = value.reshape(-1, value.shape[-1]).astype(np.float32) if value.ndim else value
    if value.ndim == 2 and rows.shape[1] == 7:
        return rows[:, 1:5].copy(), rows[:, 6], _whole(rows[:, 5]) - manifest.first_class
    if value.ndim == 3 and value.shape[0] == 1 and rows.shape[1] == 6:
        return rows[:, :4].copy(), rows[:, 4], _whole(rows[:, 5]) - manifest.first_class
    extra = rows.shape[-1] - 6 if rows.ndim == 2 else 0
    why = (
        _EXTRA.format(extra=extra, count=len(manifest.classes))
        if extra > 1
        else f"1 x N x 6 or N x 7 is expected, and it is {list(value.shape)}"
    )
    raise ModelError("the model's answer does not go with its manifest", why=why)


def _named(outputs: Mapping[str, NDArray[Any]], *words: str) -> NDArray[Any] | None:
    return next((value for name, value in outputs.items() if any(word in name.lower() for word in words)), None)


def _four(outputs: Mapping[str, NDArray[Any]]) -> tuple[F32, F32, I64, int]:
    """Boxes, scores, classes and how many, whatever they are called; by name, else by shape."""
    boxes = _named(outputs, "box")
    scores, classes = _named(outputs, "score"), _named(outputs, "class", "label")
    many = _named(outputs, "num", "count")
    if boxes is None:
        boxes = next((value for value in outputs.values() if value.ndim == 3 and value.shape[-1] == 4), None)
    flat = [value for value in outputs.values() if value.ndim == 2]
    if scores is None and classes is None and len(flat) == 2:
        scores, classes = sorted(flat, key=lambda value: bool((value == np.rint(value)).all()))
    if boxes is None or scores is None or classes is None or boxes.shape[-1] != 4:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
        raise ModelError("boxes, scores and classes are expected of the model", why=f"its outputs are {shapes[:300]}")
    rows, points = boxes.reshape(-1, 4).astype(np.float32), scores.reshape(-1).astype(np.float32)
    numbers = _whole(classes.reshape(-1))
    if not len(rows) == len(points) == len(numbers):
        raise ModelError("the model gives another number of scores or classes than of boxes")
    count = len(rows)
    if many is not None and many.size and np.isfinite(many.reshape(-1)[0]):
        count = int(np.clip(many.reshape(-1)[0], 0, len(rows)))
    return rows, points, numbers, count


def _whole(values: NDArray[Any]) -> I64:
    """Numbers of classes; -1 for what is none."""
    numbers = np.nan_to_num(values.astype(np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0)
    return np.rint(np.clip(numbers, -1, 1e6)).astype(np.int64)


def _ssd(outputs: Mapping[str, NDArray[Any]], manifest: Manifest) -> _Answers:
    wide, high = _size(manifest)
    seven = [value for value in outputs.values() if value.shape[-1:] == (7,)]
    if seven:
        rows = seven[0].reshape(-1, 7).astype(np.float32)
        ended = np.flatnonzero(rows[:, 0] < 0)
        rows = rows[: int(ended[0])] if len(ended) else rows
        return (
            rows[:, 3:7] * np.array([wide, high, wide, high], np.float32),
            rows[:, 2],
            _whole(rows[:, 1]) - manifest.first_class,
        )
    boxes, scores, classes, count = _four(outputs)
    turned = boxes[:count][:, [1, 0, 3, 2]] * np.array([wide, high, wide, high], np.float32)
    return turned, scores[:count], classes[:count] - manifest.first_class


def _detr(outputs: Mapping[str, NDArray[Any]], manifest: Manifest) -> _Answers:
    boxes, logits = _named(outputs, "box"), _named(outputs, "logit", "class", "score")
    count = len(manifest.classes)
    if boxes is None or logits is None:
        boxes = next((value for value in outputs.values() if value.ndim == 3 and value.shape[-1] == 4), None)
        logits = next((value for value in outputs.values() if value.ndim == 3 and value is not boxes), None)
    if (
        boxes is None
        or logits is None
        or boxes.ndim != 3
        or boxes.shape[-1] != 4
        or boxes.shape[0] != 1
        or logits.shape != (1, boxes.shape[1], count)
    ):
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())
        raise ModelError(
            "logits (1 x N x classes) and boxes (1 x N x 4) are expected of the model",
            why=f"it has {count} classes, and its outputs are {shapes[:300]}",
        )
    scores = 1 / (1 + np.exp(-np.clip(logits[0].astype(np.float32), -60, 60)))
    return _best(_corners(boxes[0].astype(np.float32), *_size(manifest)), scores)


def _postprocessed(outputs: Mapping[str, NDArray[Any]], manifest: Manifest) -> _Answers:
    boxes, scores, classes, count = _four(outputs)
    return boxes[:count].copy(), scores[:count], classes[:count] - manifest.first_class
