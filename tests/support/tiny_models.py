"""Models of a few nodes with answers that are known: folders with a manifest, as a user would bring them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

SIDE = 64
CLASSES = ("person", "car", "dog")


def answering(
    answers: Mapping[str, np.ndarray],
    shape: Sequence[int] = (1, 3, SIDE, SIDE),
    *,
    meta: Mapping[str, str] | None = None,
    sizes: bool = False,
    picture: str = "images",
) -> ModelProto:
    """One that says the same of every picture. sizes: it also wants the picture's size."""
    nodes, made, weights = [], [], []
    for name, value in answers.items():
        weights.append(numpy_helper.from_array(value, f"{name}_is"))
        # The picture counts for nothing, but a runtime must see that it is used.
        nodes += [
            helper.make_node("ReduceMean", [picture], [f"{name}_mean"], keepdims=0),
            helper.make_node("Mul", [f"{name}_mean", "zero"], [f"{name}_none"]),
            helper.make_node(
                "Cast", [f"{name}_none"], [f"{name}_cast"], to=helper.np_dtype_to_tensor_dtype(value.dtype)
            ),
            helper.make_node("Add", [f"{name}_is", f"{name}_cast"], [name]),
        ]
        made.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape))
    inputs = [helper.make_tensor_value_info(picture, TensorProto.FLOAT, list(shape))]
    if sizes:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2]))
        nodes.append(helper.make_node("Cast", ["orig_target_sizes"], ["sizes_seen"], to=TensorProto.FLOAT))
        made.append(helper.make_tensor_value_info("sizes_seen", TensorProto.FLOAT, [1, 2]))
    weights.append(numpy_helper.from_array(np.array(0, np.float32), "zero"))
    return proto(nodes, inputs, made, weights, meta)


def proto(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any], meta: Mapping[str, str] | None = None
) -> ModelProto:
    """A model of a version that every runtime of today reads."""
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    for key, value in (meta or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return model


def told(layout: str = "yolov8", **more: Any) -> dict[str, Any]:
    """What a manifest says, without the sum."""
    return {
        "name": "tiny", "version": "1", "file": "tiny.onnx", "licence": "Apache-2.0", "layout": layout,
        "input": {"width": SIDE, "height": SIDE}, "classes": list(CLASSES), **more,
    }  # fmt: skip


def folder_of(path: Path, model: ModelProto | bytes, layout: str = "yolov8", **more: Any) -> Path:
    """A folder with it, its manifest as JSON."""
    data = model if isinstance(model, bytes) else model.SerializeToString()
    path.mkdir(parents=True, exist_ok=True)
    (path / "tiny.onnx").write_bytes(data)
    (path / "model.json").write_text(json.dumps({"sha256": hashlib.sha256(data).hexdigest(), **told(layout, **more)}))
    return path


def stuck() -> ModelProto:
    """One that answers to a picture of nothing but grey, and to any other not before the sun goes out."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["on_still"]), helper.make_node("Add", ["sum", "one"], ["sum_next"])], "body",
        [helper.make_tensor_value_info("turn", TensorProto.INT64, []), helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("sum", TensorProto.FLOAT, [])],
        [helper.make_tensor_value_info("on_still", TensorProto.BOOL, []), helper.make_tensor_value_info("sum_next", TensorProto.FLOAT, [])],
    )  # fmt: skip
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "grey"], ["off"]),
        helper.make_node("Abs", ["off"], ["away"]),
        helper.make_node("Greater", ["away", "little"], ["other"]),
        helper.make_node("Cast", ["other"], ["other_number"], to=TensorProto.INT64),
        helper.make_node("Mul", ["other_number", "ages"], ["turns"]),
        helper.make_node("Loop", ["turns", "yes", "zero"], ["sum_last"], body=body),
        helper.make_node("Mul", ["sum_last", "zero"], ["none"]),
        helper.make_node("Add", ["boxes", "none"], ["output0"]),
    ]
    weights = [
        numpy_helper.from_array(value, name)
        for name, value in {
            "grey": np.array(114 / 255, np.float32), "little": np.array(1e-3, np.float32), "ages": np.array(1 << 60, np.int64), "yes": np.array(True),
            "zero": np.array(0, np.float32), "one": np.array(1, np.float32), "boxes": yolov8(),
        }.items()
    ]  # fmt: skip
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])]
    return proto(
        nodes, inputs, [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 4 + len(CLASSES), 16])], weights
    )


def yolov8(*boxes: tuple[float, float, float, float, int, float], rows: int = 16) -> np.ndarray:
    """1 x (4 + classes) x rows: (centre x, y, width, height, class, score) each."""
    made = np.zeros((1, 4 + len(CLASSES), rows), np.float32)
    for n, (x, y, w, h, kind, score) in enumerate(boxes):
        made[0, :4, n] = x, y, w, h
        made[0, 4 + kind, n] = score
    return made
