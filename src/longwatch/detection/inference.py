"""One model for objects, by ONNX Runtime: opened from bytes, asked about crops. Only children import this, and only where there is a model.

It is opened when the child has given up files, sockets and threads: a model that names other files, or is made to break its reader, finds nothing there. What the model says of itself,
and what it answers to a picture of nothing, is held against its manifest before it is asked about a real one.

Since 1.29 the runtime tells its maker, over the network, of each process and model, unless `ORT_DISABLE_TELEMETRY` is set before it is loaded. It is set here, and this is the only module that
loads it: no uploader, no thread, no file is then made (a test looks).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the import below, or it has begun

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray

from longwatch.detection.crops import laid
from longwatch.detection.layouts import MOST_BOXES, Found, found_in
from longwatch.detection.manifest import Folder, ModelError
from longwatch.detection.refusals import refused

MOST_S = 2.0
"""Processor time of one crop: a model that takes longer is too slow for this machine."""
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_TASKS = frozenset({"pose", "segment", "classify", "obb"})
_MOST_ANSWER_BYTES = 64 << 20


class Model:
    """ask_s: processor time of one crop on this machine, as the first answers took it."""

    def __init__(self, folder: Folder, beat: Callable[[], None] = lambda: None) -> None:
        """Raises ModelError. beat: called between steps that may each take seconds."""
        self.manifest = folder.manifest
        self._session = _opened(folder.data)
        beat()
        self._inputs = self._session.get_inputs()
        self._outputs = [each.name for each in self._session.get_outputs()]
        self._check_words()
        self._picture, self._order, self._type = self._form()
        self._size_input = self._other_input()
        self.ask_s = 0.0
        self._try(beat)

    def find(self, crop: NDArray[np.uint8]) -> list[Found]:
        """crop: height x width x 3, RGB. Boxes in parts of it, the best first. Raises ModelError."""
        told = self.manifest.input
        put = laid(crop, told.width, told.height, told.fill)
        return [
            Found(each.kind, each.score, put.back(each.box))
            for each in found_in(self._answers(put.pixels), self.manifest)
        ]

    def _answers(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        fed: dict[str, Any] = {self._picture: self._tensor(pixels)}
        if self._size_input:
            fed[self._size_input] = np.array([[self.manifest.input.width, self.manifest.input.height]], np.int64)
        try:
            values = self._session.run(self._outputs, fed)
        except Exception as error:  # noqa: BLE001 - boundary: the runtime's own errors are of many types, and none is ours
            raise ModelError("the model cannot be run", why=_short(error)) from None
        return {name: value for name, value in zip(self._outputs, values, strict=True) if isinstance(value, np.ndarray)}

    def _tensor(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        told = self.manifest.input
        ordered = pixels if told.colours == "rgb" else pixels[:, :, ::-1]
        value: NDArray[Any] = ordered
        if self._type is not np.uint8:
            mean, std = np.array(told.mean, np.float32), np.array(told.std, np.float32)
            value = (ordered.astype(np.float32) * np.float32(told.scale) - mean) / std
        if self._order == "nchw":
            value = value.transpose(2, 0, 1)
        return np.ascontiguousarray(value[None], dtype=self._type)

    # -- is it what it is said to be

    def _check_words(self) -> None:
        meta = self._session.get_modelmeta()
        told = {str(key): str(value) for key, value in meta.custom_metadata_map.items()}
        task = told.get("task", "").lower()
        if task in _TASKS:
            raise ModelError(
                "a model of this kind is not run here",
                why=f"its exporter calls its task {task!r}, and boxes are wanted (`detect`)",
            )
        names = [
            *(each.name for each in self._inputs),
            *self._outputs,
            meta.graph_name[:200],
            *(told.get(key, "")[:20_000] for key in ("names", "description")),
        ]
        if why := refused(names):
            raise ModelError(
                "a model of this kind is not run here",
                why=why,
                remedy="detection speaks of classes, never of who: bring a model for objects",
            )

    def _form(self) -> tuple[str, str, Any]:
        """(name of the input for the picture, order, type)."""
        told = self.manifest.input
        four = [each for each in self._inputs if len(each.shape) == 4]
        if len(four) != 1:
            raise ModelError(
                "the model has no input for one picture",
                why=f"{len(four)} of its {len(self._inputs)} inputs have four dimensions",
            )
        one = four[0]
        kind = _TYPES.get(one.type)
        if kind is None:
            raise ModelError(
                f"the model wants its pictures as {one.type}",
                why="32 or 16 bits with a point, or bytes, are known here",
            )
        order = told.order or ("nhwc" if one.shape[3] == 3 and one.shape[1] != 3 else "nchw")
        wanted = [1, 3, told.height, told.width] if order == "nchw" else [1, told.height, told.width, 3]
        for has, wants in zip(one.shape, wanted, strict=True):
            if isinstance(has, int) and has > 0 and has != wants:
                why = f"it takes {list(one.shape)}, and the manifest says {wanted}"
                raise ModelError("the model takes pictures of another form than its manifest says", why=why)
        return one.name, order, kind

    def _other_input(self) -> str:
        others = [each for each in self._inputs if each.name != self._picture]
        if not others:
            return ""
        if self.manifest.layout == "rtdetr-boxes" and len(others) == 1 and others[0].type == "tensor(int64)":
            return str(others[0].name)
        raise ModelError(
            "the model wants more than a picture",
            why=", ".join(f"{each.name} {list(each.shape)}" for each in others)[:200],
        )

    def _try(self, beat: Callable[[], None]) -> None:
        """Ask it about nothing: that its answer can be read, and what it takes."""
        told = self.manifest.input
        blank = np.full((told.height, told.width, 3), told.fill, np.uint8)
        for _ in range(2):  # the first one also plans memory
            began = time.process_time()
            answers = self._answers(blank)
            self.ask_s = time.process_time() - began
            if self.ask_s > MOST_S:
                raise ModelError(
                    f"the model takes {self.ask_s:.1f} s for one crop here",
                    why=f"more than {MOST_S:g} s is too slow",
                    remedy="take a smaller one",
                )
            self._check_answers(answers)
            found_in(answers, self.manifest)
            beat()

    def _check_answers(self, answers: dict[str, NDArray[Any]]) -> None:
        if not answers or sum(value.nbytes for value in answers.values()) > _MOST_ANSWER_BYTES:
            raise ModelError("the model answers with nothing, or with more than any model for these sizes would")
        for name, value in answers.items():
            if len(answers) == 1 and value.ndim == 2 and value.shape[0] == 1 and value.shape[1] not in {6, 7}:
                raise ModelError(
                    "a model of this kind is not run here", why=f"{name} is one row of {value.shape[1]} numbers for a whole picture: a fingerprint to compare, or no boxes at all",
                    remedy="bring a model that gives boxes",
                )  # fmt: skip
            if value.ndim >= 2 and value.shape[-2] > MOST_BOXES:
                raise ModelError(
                    f"{name} of the model has {value.shape[-2]} rows",
                    why=f"more than {MOST_BOXES} are none for these sizes",
                )


def _opened(data: bytes) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the child may start none
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - boundary: the runtime's own errors are of many types, and none is ours
        raise ModelError("the model cannot be opened", why=_short(error)) from None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
