"""A model that is a bomb, in the process that tries it: it says why, and takes no more memory than it may have."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from tests.support.tiny_models import CLASSES, SIDE, folder_of, proto

pytestmark = pytest.mark.slow
_BYTES = 24 << 30
"""More than such a process may have, and less than what any runtime would refuse by itself."""


def _answering(nodes: list[object], weights: list[object]) -> ModelProto:
    """nodes make `none`, a number, out of `images` and something large."""
    boxes = np.zeros((1, 4 + len(CLASSES), 84), np.float32)
    weights = [*weights, numpy_helper.from_array(boxes, "boxes")]
    nodes = [*nodes, helper.make_node("Add", ["boxes", "none"], ["output0"])]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    return proto(nodes, [images], [helper.make_tensor_value_info("output0", TensorProto.FLOAT, boxes.shape)], weights)


def constant() -> ModelProto:
    """Made while it is opened: a runtime works out ahead what depends on no picture."""
    shape = numpy_helper.from_array(np.array([6, _BYTES // 24], np.int64), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["large"]),
        helper.make_node("ReduceMax", ["large"], ["none"], keepdims=0),
    ]
    return _answering(nodes, [shape])


def expanded() -> ModelProto:
    """Made when it is asked."""
    shape = numpy_helper.from_array(np.array([_BYTES // 4 // SIDE // SIDE // 3, 3, SIDE, SIDE], np.int64), "shape")
    nodes = [
        helper.make_node("Expand", ["images", "shape"], ["large"]),
        helper.make_node("ReduceMean", ["large"], ["none"], keepdims=0),
    ]
    return _answering(nodes, [shape])


@pytest.mark.parametrize("bomb", [constant, expanded])
def test_a_bomb_is_refused_in_words(bomb: object, tmp_path: Path) -> None:
    assert callable(bomb)
    folder = folder_of(tmp_path / "model", bomb())
    done = subprocess.run(
        [sys.executable, "-m", "longwatch.node.watch.model_child", str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = json.loads(done.stdout)
    assert said["ok"] is False
    assert said["what"]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 4 << 20  # KiB
