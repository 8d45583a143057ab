"""The tiny model for objects of the tests and the demo, made from nothing: `python -m tools.train_model [--out DIR]`.

It draws scenes with the generator of the tests (`tests.scenes`), cuts what a motion detector would cut, trains a small convolutional network by hand (NumPy,
Adam), and writes it as ONNX with its manifest. The same seed gives the same data; sums in another order (another BLAS) may change the last bits of the weights.
It knows painted people, vehicles and animals of 640 x 360 pictures, and nothing of real ones. About a quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tests.scenes.recipe import BUSY, draw
from tests.scenes.scene import Scene

from longwatch.detection.crops import crop_of, laid

SIDE, GRID, STRIDE = 64, 8, 8
CLASSES = ("person", "vehicle", "animal")
SEED = 20261121
SCENES_FROM = 7_000_000
"""Seeds of its scenes: none of those of tests, development or exam."""
WHERE = Path("src/longwatch/simulate/model")
LAYERS = ((3, 16, 2, 1), (16, 24, 2, 1), (24, 48, 2, 1), (48, 48, 1, 2), (48, 48, 1, 2))
"""channels in, channels out, stride, dilation; kernels of 3 x 3, each followed by ReLU. Then 1 x 1 to 4 + classes."""


# -- data


def crops_of(
    seed: int, rng: np.random.Generator, many: int
) -> list[tuple[np.ndarray, list[tuple[int, float, float, float, float]]]]:
    """From one scene: (picture 64 x 64 x 3, [(class, x0, y0, x1, y1) in its pixels]), about what moves, and of where nothing does."""
    scene = Scene(draw(seed, BUSY, seconds=240.0))
    made: list[tuple[np.ndarray, list[tuple[int, float, float, float, float]]]] = []
    spans = [(a.way.begin_s, a.way.end_s) for a in scene.actors]
    if not spans:
        return made
    times = sorted(float(rng.uniform(*spans[int(rng.integers(len(spans)))])) for _ in range(many))
    mean = 100.0
    for now in times:
        before = [len(a.thing.moments) for a in scene.actors]
        picture, mean = scene._picture(now, mean)
        there = [
            (CLASSES.index(a.thing.kind), a.thing.moments[-1])
            for a, n in zip(scene.actors, before, strict=True)
            if len(a.thing.moments) > n
        ]
        if any(not moment.counts for _, moment in there):
            continue
        rgb = cv2.cvtColor(
            np.concatenate((picture.luma.ravel(), picture.u.ravel(), picture.v.ravel())).reshape(-1, scene.w),
            cv2.COLOR_YUV2RGB_I420,
        )
        boxes = [(kind, moment.box) for kind, moment in there]
        for _, box in boxes:
            made.append(_cut(rgb, _shaken(box, rng), boxes, rng))
        if rng.random() < 0.35:
            side = float(rng.uniform(0.03, 0.3))
            x, y = float(rng.uniform(0, 1 - side)), float(rng.uniform(0, 1 - side))
            made.append(_cut(rgb, (x, y, x + side, y + side), boxes, rng))
    return made


def _shaken(box: Any, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """As motion would have it: with a shadow, without a foot."""
    w, h = box[2] - box[0], box[3] - box[1]
    d = rng.normal(0, 0.12, 4)
    return (
        max(0.0, box[0] + d[0] * w), max(0.0, box[1] + d[1] * h), min(1.0, box[2] + abs(d[2]) * w), min(1.0, box[3] + d[3] * h)
    )  # fmt: skip


def _cut(rgb: np.ndarray, about: Any, boxes: list[Any], rng: np.random.Generator) -> Any:
    high, wide = rgb.shape[:2]
    crop = crop_of(about, wide, high)
    part = rgb[crop.top : crop.bottom, crop.left : crop.right]
    _, data = cv2.imencode(
        ".jpg", part, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90)))
    )  # as a camera's encoder blurs
    put = laid(cv2.imdecode(data, cv2.IMREAD_COLOR), SIDE, SIDE)
    labels = []
    for kind, (left, top, right, bottom) in boxes:
        x0, x1 = ((v * wide - crop.left) * put.scale + put.left for v in (left, right))
        y0, y1 = ((v * high - crop.top) * put.scale + put.top for v in (top, bottom))
        inside = max(0.0, min(x1, SIDE) - max(x0, 0)) * max(0.0, min(y1, SIDE) - max(y0, 0))
        if inside > 0.4 * (x1 - x0) * (y1 - y0):
            labels.append((kind, max(x0, 0.0), max(y0, 0.0), min(x1, float(SIDE)), min(y1, float(SIDE))))
    return put.pixels, labels


def dataset(scenes: int, many: int, from_seed: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(pictures N x 64 x 64 x 3, targets N x 8 x 8 x (4 + classes + 2)): box in strides from the cell's middle (logarithms of size), classes, and whether the cell answers for
    a thing (1), for nothing (0) or for neither (-1).
    """
    pictures, targets = [], []
    began = time.monotonic()
    for number in range(scenes):
        for picture, labels in crops_of(from_seed + number, rng, many):
            pictures.append(picture)
            targets.append(_target(labels))
        if number % 20 == 19:
            print(f"{number + 1} scenes, {len(pictures)} pictures, {time.monotonic() - began:.0f} s", flush=True)
    return np.stack(pictures), np.stack(targets)


def _target(labels: list[tuple[int, float, float, float, float]]) -> np.ndarray:
    target = np.zeros((GRID, GRID, 4 + len(CLASSES) + 1), np.float32)
    for kind, x0, y0, x1, y1 in sorted(labels, key=lambda each: -(each[3] - each[1]) * (each[4] - each[2])):
        cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, 1.0), max(y1 - y0, 1.0)
        for row in range(GRID):
            for column in range(GRID):
                dx, dy = cx - (column + 0.5) * STRIDE, cy - (row + 0.5) * STRIDE
                near = abs(dx) <= max(w * 0.22, STRIDE / 2) and abs(dy) <= max(h * 0.22, STRIDE / 2)
                if near:
                    target[row, column] = 0
                    target[row, column, :4] = dx / STRIDE, dy / STRIDE, np.log(w / STRIDE), np.log(h / STRIDE)
                    target[row, column, 4 + kind] = 1
                    target[row, column, -1] = 1
                elif abs(dx) <= w * 0.4 and abs(dy) <= h * 0.4 and target[row, column, -1] == 0:
                    target[row, column, -1] = -1
    return target


# -- network


class Conv:
    """3 x 3 (or 1 x 1) with ReLU, by im2col; N x H x W x C."""

    def __init__(
        self,
        rng: np.random.Generator,
        ins: int,
        outs: int,
        stride: int,
        dilation: int,
        size: int = 3,
        relu: bool = True,
    ):
        self.w = (rng.normal(0, 1, (size * size * ins, outs)) * np.sqrt(2 / (size * size * ins))).astype(np.float32)
        self.b = np.zeros(outs, np.float32)
        self.ins, self.outs, self.stride, self.dilation, self.size, self.relu = ins, outs, stride, dilation, size, relu
        self.moments: list[np.ndarray] = [np.zeros_like(p) for p in (self.w, self.w, self.b, self.b)]

    def forward(self, x: np.ndarray) -> np.ndarray:
        n, h, w, c = x.shape
        s, d, k = self.stride, self.dilation, self.size
        p = d * (k // 2)
        padded = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0))) if p else x
        oh, ow = h // s, w // s
        self.shape, self.padded_shape = x.shape, padded.shape
        parts = [padded[:, i * d : i * d + oh * s : s, j * d : j * d + ow * s : s] for i in range(k) for j in range(k)]
        self.columns = np.concatenate(parts, axis=3).reshape(-1, k * k * c)
        y = self.columns @ self.w + self.b
        if self.relu:
            np.maximum(y, 0, out=y)
        self.y = y
        return y.reshape(n, oh, ow, self.outs)

    def backward(self, dy: np.ndarray, first: bool = False) -> np.ndarray | None:
        n, oh, ow, _ = dy.shape
        dy = dy.reshape(-1, self.outs)
        if self.relu:
            dy = dy * (self.y > 0)
        self.dw, self.db = self.columns.T @ dy, dy.sum(axis=0)
        if first:
            return None
        columns = (dy @ self.w.T).reshape(n, oh, ow, -1)
        dx = np.zeros(self.padded_shape, np.float32)
        s, d, k, c = self.stride, self.dilation, self.size, self.ins
        for at, (i, j) in enumerate((i, j) for i in range(k) for j in range(k)):
            dx[:, i * d : i * d + oh * s : s, j * d : j * d + ow * s : s] += columns[..., at * c : (at + 1) * c]
        p = d * (k // 2)
        return dx[:, p : p + self.shape[1], p : p + self.shape[2]] if p else dx

    def step(self, rate: float, t: int) -> None:
        """Adam, with weights that decay a little."""
        for n, (p, g) in enumerate(((self.w, self.dw + 1e-4 * self.w), (self.b, self.db))):
            m, v = self.moments[2 * n], self.moments[2 * n + 1]
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p[...] = p - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


class Net:
    def __init__(self, rng: np.random.Generator) -> None:
        self.layers = [Conv(rng, *layer) for layer in LAYERS]
        self.layers.append(Conv(rng, LAYERS[-1][1], 4 + len(CLASSES), 1, 1, size=1, relu=False))
        self.layers[-1].w *= 0.1
        self.layers[-1].b[4:] = -3

    def forward(self, x: np.ndarray) -> np.ndarray:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy: np.ndarray) -> None:
        grad: np.ndarray | None = dy
        for number, layer in reversed(list(enumerate(self.layers))):
            assert grad is not None
            grad = layer.backward(grad, first=number == 0)


def loss(out: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Focal cross-entropy of classes, smooth L1 of boxes."""
    state = target[..., -1:]
    counted, held = (state >= 0).astype(np.float32), (state > 0).astype(np.float32)
    many = max(float(held.sum()), 1.0)
    probability = 1 / (1 + np.exp(-out[..., 4:]))
    wanted = target[..., 4:-1]
    off = probability - wanted
    weight = counted * np.abs(off) ** 1.5 * np.where(wanted > 0, 1.0, 0.6)
    said = -np.log(np.clip(np.where(wanted > 0, probability, 1 - probability), 1e-7, 1))
    total = float((weight * said).sum()) / many
    away = out[..., :4] - target[..., :4]
    small = np.abs(away) < 1
    total += 0.5 * float((held * np.where(small, 0.5 * away * away, np.abs(away) - 0.5)).sum()) / many
    grad = np.empty_like(out)
    grad[..., 4:] = weight * off * 1.5 / many
    grad[..., :4] = 0.5 * held * np.clip(away, -1, 1) / many
    return total, grad


def varied(pictures: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turned round, lighter, darker, flatter, grey."""
    x, t = pictures.astype(np.float32) / 255, targets.copy()
    turned = rng.random(len(x)) < 0.5
    x[turned], t[turned] = x[turned, :, ::-1], t[turned, :, ::-1]
    t[turned, :, :, 0] *= -1
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    gain, light = rng.uniform(0.6, 1.4, (len(x), 1, 1, 1)), rng.normal(0, 0.08, (len(x), 1, 1, 1))
    x = (x - mean) * gain.astype(np.float32) + mean + light.astype(np.float32)
    grey = rng.random(len(x)) < 0.25
    x[grey] = x[grey].mean(axis=3, keepdims=True)
    return np.clip(x, 0, 1), t


def right(net: Net, pictures: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """(part of pictures with one thing whose class is the best answer within it, part of empty pictures with no answer above a half)."""
    hit = of = quiet = empty = 0
    for at in range(0, len(pictures), 256):
        out = net.forward(pictures[at : at + 256].astype(np.float32) / 255)
        probability = 1 / (1 + np.exp(-out[..., 4:]))
        for p, t in zip(probability, targets[at : at + 256], strict=True):
            kinds = t[..., 4:-1].max(axis=(0, 1))
            if kinds.sum() == 1:
                best = p.reshape(-1, len(CLASSES)).max(axis=0)
                hit += int(best.argmax() == kinds.argmax() and best.max() > 0.4)
                of += 1
            elif kinds.sum() == 0:
                quiet += int(p.max() < 0.5)
                empty += 1
    return hit / max(of, 1), quiet / max(empty, 1)


# -- ONNX


def exported(net: Net) -> onnx.ModelProto:
    """As a YOLOv8 export: 1 x (4 + classes) x 64, boxes as centre and size in pixels."""
    nodes, weights = [], []

    def constant(name: str, value: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(value, name))
        return name

    x = "images"
    for n, layer in enumerate(net.layers):
        k, d = layer.size, layer.dilation
        kernel = layer.w.reshape(k, k, layer.ins, layer.outs).transpose(3, 2, 0, 1)
        p = d * (k // 2)
        nodes.append(
            helper.make_node(
                "Conv", [x, constant(f"w{n}", np.ascontiguousarray(kernel)), constant(f"b{n}", layer.b)], [f"c{n}"],
                kernel_shape=[k, k], strides=[layer.stride] * 2, dilations=[d] * 2, pads=[p, p, p, p],
            )
        )  # fmt: skip
        x = f"c{n}"
        if layer.relu:
            nodes.append(helper.make_node("Relu", [x], [f"r{n}"]))
            x = f"r{n}"
    many = GRID * GRID
    columns, rows = np.meshgrid(np.arange(GRID), np.arange(GRID))
    middles = np.stack((columns.ravel() + 0.5, rows.ravel() + 0.5))[None].astype(np.float32) * STRIDE
    nodes += [
        helper.make_node("Reshape", [x, constant("flat", np.array([1, 4 + len(CLASSES), many], np.int64))], ["all"]),
        helper.make_node(
            "Split",
            ["all", constant("parts", np.array([2, 2, len(CLASSES)], np.int64))],
            ["at", "size", "logits"],
            axis=1,
        ),
        helper.make_node("Mul", ["at", constant("stride", np.float32([STRIDE]))], ["off"]),
        helper.make_node("Add", ["off", constant("middles", middles)], ["centres"]),
        helper.make_node(
            "Clip",
            ["size", constant("least", np.array(-4, np.float32)), constant("most", np.array(4, np.float32))],
            ["bound"],
        ),
        helper.make_node("Exp", ["bound"], ["strides"]),
        helper.make_node("Mul", ["strides", "stride"], ["sizes"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        helper.make_node("Concat", ["centres", "sizes", "scores"], ["output0"], axis=1),
    ]
    graph = helper.make_graph(
        nodes, "longwatch-tiny", [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 4 + len(CLASSES), many])], weights,
    )  # fmt: skip
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="longwatch tools/train_model.py"
    )
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


MANIFEST = """\
# For the tests and the demo. It was trained on painted scenes alone (`tests/scenes`), knows their people, vehicles and animals, and knows nothing
# of real footage: do not use it for a real camera. Made by tools/train_model.py, seed {seed}, {scenes} scenes, {pictures} pictures, {epochs} rounds.
# Of scenes that it was not trained on: class right in {right:.1%} of crops with one thing, silent in {quiet:.1%} of crops without.
name: longwatch-tiny
version: "1"
file: tiny.onnx
sha256: {sha256}
licence: Apache-2.0
about: for tests and the demo, trained on painted scenes; not for real footage
layout: yolov8
input: {{width: 64, height: 64, colours: rgb, scale: 0.00392156862745098}}
classes: [person, vehicle, animal]
threshold: 0.45
"""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path, default=WHERE)
    asked.add_argument("--scenes", type=int, default=160)
    asked.add_argument("--many", type=int, default=110, help="moments a scene")
    asked.add_argument("--epochs", type=int, default=14)
    asked.add_argument("--keep", type=Path, help="keep the data set here, and take it from here")
    told = asked.parse_args()
    rng = np.random.default_rng(SEED)
    if told.keep is not None and told.keep.exists():
        kept = np.load(told.keep)
        pictures, targets, others, their = kept["a"], kept["b"], kept["c"], kept["d"]
    else:
        pictures, targets = dataset(told.scenes, told.many, SCENES_FROM, rng)
        others, their = dataset(max(told.scenes // 8, 4), told.many, SCENES_FROM + 100_000, rng)
        if told.keep is not None:
            np.savez(told.keep, a=pictures, b=targets, c=others, d=their)
    print(f"{len(pictures)} pictures, {len(others)} to try it on", flush=True)
    net, batch, t = Net(rng), 64, 0
    steps = told.epochs * (len(pictures) // batch)
    for epoch in range(told.epochs):
        began, sums = time.monotonic(), []
        order = rng.permutation(len(pictures))
        for at in range(0, len(order) - batch + 1, batch):
            t += 1
            some = order[at : at + batch]
            x, wanted = varied(pictures[some], targets[some], rng)
            total, grad = loss(net.forward(x), wanted)
            net.backward(grad)
            rate = 2e-3 * min(1.0, t / 200) * 0.5 * (1 + np.cos(np.pi * t / steps))
            for layer in net.layers:
                layer.step(rate, t)
            sums.append(total)
        hit, quiet = right(net, others, their)
        print(
            f"round {epoch + 1}: loss {np.mean(sums):.4f}, class {hit:.3f}, quiet {quiet:.3f}, {time.monotonic() - began:.0f} s",
            flush=True,
        )
    data = exported(net).SerializeToString()
    told.out.mkdir(parents=True, exist_ok=True)
    (told.out / "tiny.onnx").write_bytes(data)
    manifest = MANIFEST.format(
        seed=SEED,
        scenes=told.scenes,
        pictures=len(pictures),
        epochs=told.epochs,
        right=hit,
        quiet=quiet,
        sha256=hashlib.sha256(data).hexdigest(),
    )
    (told.out / "model.yml").write_text(manifest, "utf-8")
    print(f"{len(data)} bytes in {told.out}")


if __name__ == "__main__":
    main()
