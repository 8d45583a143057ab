"""Models for objects: each form of answer against a graph whose answer is known, and what is refused before or after it is opened."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.support.tiny_models import CLASSES, SIDE, answering, folder_of, proto, told, yolov8

from longwatch.detection.inference import Model
from longwatch.detection.layouts import found_in
from longwatch.detection.manifest import ModelError, manifest_of, read_folder, read_manifest
from longwatch.detection.refusals import refused

F = np.float32
CAR, DOG, TWIN = (20.0, 30.0, 16.0, 12.0, 1, 0.9), (48.0, 40.0, 8.0, 20.0, 2, 0.7), (21.0, 30.0, 16.0, 12.0, 1, 0.8)
EXPECTED = [
    ("vehicle", 0.9, (12 / 64, 24 / 64, 28 / 64, 36 / 64)),
    ("animal", 0.7, (44 / 64, 30 / 64, 52 / 64, 50 / 64)),
]
V8 = yolov8(CAR, DOG, TWIN)


def v5() -> np.ndarray:
    made = np.zeros((1, 16, 5 + len(CLASSES)), F)
    for n, (x, y, w, h, kind, score) in enumerate((CAR, DOG, TWIN)):
        made[0, n, :5] = x, y, w, h, score
        made[0, n, 5 + kind] = 1.0
    return made


def corners(*things: tuple[float, float, float, float, int, float], parts: bool = False) -> np.ndarray:
    made = np.array([[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h, _, _ in things], F)
    return made / SIDE if parts else made


def kinds(*things: Any) -> np.ndarray:
    return np.array([thing[4] for thing in things], F)


def scores(*things: Any) -> np.ndarray:
    return np.array([thing[5] for thing in things], F)


BOTH = (CAR, DOG)
LOGITS = np.full((1, 4, 3), -9, F)
LOGITS[0, 0, 1], LOGITS[0, 1, 2] = np.log(9), np.log(7 / 3)
CENTRES = np.zeros((1, 4, 4), F)
CENTRES[0, :2] = np.array([c[:4] for c in BOTH], F) / SIDE
PADDED = np.zeros((1, 8, 6), F)
PADDED[0, :2] = np.concatenate((corners(*BOTH), scores(*BOTH)[:, None], kinds(*BOTH)[:, None]), axis=1)
V7 = np.concatenate((np.zeros((2, 1), F), corners(*BOTH), kinds(*BOTH)[:, None], scores(*BOTH)[:, None]), axis=1)
CAFFE = np.full((1, 1, 4, 7), -1, F)
CAFFE[0, 0, :2] = np.concatenate(
    (np.zeros((2, 1), F), kinds(*BOTH)[:, None] + 1, scores(*BOTH)[:, None], corners(*BOTH, parts=True)), axis=1
)
FOUR = {
    "detection_boxes": corners(*BOTH, TWIN, parts=True)[None][..., [1, 0, 3, 2]].copy(), "detection_classes": kinds(*BOTH, TWIN)[None] + 1,
    "detection_scores": scores(*BOTH, TWIN)[None], "num_detections": np.array([2], F),
}  # fmt: skip
EFFICIENT = {
    "num_dets": np.array([[2]], np.int32), "det_boxes": corners(*BOTH, TWIN)[None], "det_scores": scores(*BOTH, TWIN)[None], "det_classes": kinds(*BOTH, TWIN)[None].astype(np.int32),
}  # fmt: skip
AFTER = {"labels": kinds(*BOTH)[None].astype(np.int64), "boxes": corners(*BOTH)[None], "scores": scores(*BOTH)[None]}
FORMS = {
    "v8": ("yolov8", {"output0": V8}), "v8 turned": ("yolov8", {"output0": V8.transpose(0, 2, 1).copy()}),
    "v5": ("yolov5", {"output": v5()}), "v5 turned": ("yolov5", {"output": v5().transpose(0, 2, 1).copy()}),
    "v5 with its grids": ("yolov5", {"output": v5(), "345": np.zeros((1, 3, 8, 8, 8), F)}),
    "v10": ("yolo-nms", {"output0": PADDED}), "v7": ("yolo-nms", {"output": V7}), "efficient": ("yolo-nms", EFFICIENT),
    "ssd of TensorFlow": ("ssd", FOUR), "ssd of Caffe": ("ssd", {"detection_out": CAFFE}),
    "rt-detr": ("rtdetr", {"logits": LOGITS, "pred_boxes": CENTRES}),
    "rt-detr in one": ("rtdetr-yolo", {"output0": np.concatenate((CENTRES, 1 / (1 + np.exp(-LOGITS))), axis=2)}),
    "rt-detr after all": ("rtdetr-boxes", AFTER),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_answer_gives_the_same_things(form: str, tmp_path: Path):
    layout, answers = FORMS[form]
    model = Model(read_folder(folder_of(tmp_path, answering(answers, sizes=layout == "rtdetr-boxes"), layout)))
    found = model.find(np.zeros((100, 100, 3), np.uint8))
    assert [
        (each.kind, pytest.approx(each.score, abs=1e-3), pytest.approx(each.box, abs=1e-3)) for each in found
    ] == EXPECTED


def test_a_crop_that_is_wider_than_high_lies_in_the_middle_and_boxes_come_back_in_its_parts(tmp_path: Path):
    model = Model(read_folder(folder_of(tmp_path, answering({"output0": yolov8((32, 32, 64, 32, 0, 0.9))}))))
    (found,) = model.find(np.zeros((50, 100, 3), np.uint8))
    assert found.kind == "person"
    assert found.box == pytest.approx((0, 0, 1, 1))


@pytest.mark.parametrize("colours", ["rgb", "bgr"])
def test_colours_and_values_are_handed_over_as_the_manifest_says(tmp_path: Path, colours: str):
    """The score is the red of the picture, after (value x 2 - 10) / 1000."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Gather", ["means", "red"], ["score"], axis=1),
        helper.make_node("Reshape", ["score", "shape"], ["one"]),
        helper.make_node("Concat", ["box", "one"], ["output0"], axis=2),
    ]
    weights = [
        numpy_helper.from_array(np.array([0 if colours == "rgb" else 2], np.int64), "red"), numpy_helper.from_array(np.array([1, 1, 1], np.int64), "shape"),
        numpy_helper.from_array(np.array([[[32, 32, 20, 20]]], F), "box"),
    ]  # fmt: skip
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])]
    outputs = [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 1, 5])]
    how = {
        "width": SIDE,
        "height": SIDE,
        "colours": colours,
        "scale": 2,
        "mean": [10, 10, 10],
        "std": [1000, 1000, 1000],
    }
    folder = folder_of(tmp_path, proto(nodes, inputs, outputs, weights), classes=["person"], input=how, threshold=0.05)
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[..., 0] = 205
    (found,) = Model(read_folder(folder)).find(picture)
    assert found.score == pytest.approx(0.4, abs=1e-3)


def test_what_is_no_number_or_no_class_or_too_faint_is_left_out():
    manifest = manifest_of(json.dumps({**told("yolo-nms"), "sha256": "0" * 64}).encode())
    rows = np.array(
        [
            [0, 0, 9, 9, 0.9, 0],
            [np.nan, 0, 9, 9, 0.9, 0],
            [0, 0, 9, 9, np.inf, 0],
            [0, 0, 9, 9, 0.9, 7],
            [0, 0, 9, 9, 0.9, -3],
            [0, 0, 9, 9, 0.1, 0],
            [0, 0, 9, 9, 0.9, np.nan],
            [5, 5, 5, 9, 0.9, 0],
        ],
        F,
    )
    assert [each.score for each in found_in({"out": rows[None]}, manifest)] == [pytest.approx(0.9)]


def test_classes_are_mapped_to_seven_words_and_those_without_a_word_are_left_out():
    manifest = manifest_of(
        json.dumps(
            {
                **told(
                    classes=["person", "Truck", "toaster", "ferry", "weed"], mapping={"ferry": "boat", "weed": None}
                ),
                "sha256": "0" * 64,
            }
        ).encode()
    )
    assert manifest.kinds == ("person", "vehicle", "", "boat", "")
    assert manifest.says == ("person", "vehicle", "boat")


WRONG = {
    "no layout": ({"layout": "yolo"}, "layout: 'yolo' is none"),
    "a path": ({"file": "../x.onnx"}, "without a path"),
    "no sum": ({"sha256": "abc"}, "64 hexadecimal"),
    "an unknown key": ({"anchors": 3}, "anchors: there is no such key"),
    "no such class": ({"mapping": {"cow": "animal"}}, "'cow' is none of its classes"),
    "no such kind": ({"mapping": {"dog": "pet"}}, "'pet' is none of"),
    "nothing mapped": ({"classes": ["toaster"]}, "none of its classes is mapped"),
    "no size": ({"input": {"width": 64}}, "height is missing"),
    "too large": ({"input": {"width": 64, "height": 9000}}, "from 32 to 1280"),
    "colours": ({"input": {"width": 64, "height": 64, "colours": "yuv"}}, "rgb or bgr"),
    "faces": ({"classes": ["face"]}, "tells people apart"),
    "a face in its name": ({"name": "yolov8n-face"}, "tells people apart"),
    "plates": ({"classes": ["car", "license_plate"]}, "number plates"),
    "plates in its file": ({"file": "lpr.onnx"}, "number plates"),
    "a fingerprint": ({"name": "person-reid-0.25"}, "known again"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_manifest_says_what_is_wrong_with_it(case: str):
    change, expected = WRONG[case]
    with pytest.raises(ModelError) as raised:
        manifest_of(json.dumps({**told(), "sha256": "0" * 64, **change}).encode())
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"- a\n",
        b"name: [",
        b"\xff\xfe",
        b"{" * 5000,
        b"a: &a [*a]\n",
        b"- " * 20_000,
        b"!!python/object/apply:os.system ['true']",
        b"a: !!bool neither\n",
        b"a: !!timestamp '9999-12-31T23:59:59-99:99'\n",
        b"a: " + b"9" * 60_000,
    ],
)
def test_what_is_no_manifest_is_refused(text: bytes):
    with pytest.raises(ModelError):
        manifest_of(text)


MANIFEST_OF_NOTHING = f"""name: a
version: 1
file: m.onnx
sha256: "{"a" * 64}"
licence: x
layout: yolov8
input: {{width: 64, height: 64}}
classes: [person]
"""


@pytest.mark.parametrize(
    ("name", "is_refused"),
    [("surface", False), ("interface_0", False), ("images", False), ("detection_boxes", False), ("number", False), ("firetruck", False), ("carplate", True), ("areas", False),
     ("faceDetector", True), ("Human face", True), ("Vehicle registration plate", True), ("re_id", True), ("reID_model", True), ("keyPoints", True), ("ArcFace", True),
     ("embedding", True), ("person_features", True), ("LPRNet", True), ("number-plate", True), ("identity", True), ("face_recognition", True),
     ("ｆａｃｅ", True), ("fаce", True), ("ΡLΑΤΕ", True), ("fa\u200bce", True), ("fa\u00adce", True), ("fàce", True), ("deepface", True), ("Gesicht", True), ("rostro", True),
     ("matrícula", True), ("Kennzeichen", True), ("人脸", True), ("车牌检测", True), ("лицо", True), ("улица", False), ("человек", False), ("person_id", True), ("персона", False)],
)  # fmt: skip
def test_words_that_are_refused(name: str, is_refused: bool):
    assert bool(refused([name])) is is_refused


def test_a_manifest_in_which_lines_stand_for_more_than_any_memory_holds_is_refused_at_once():
    """Twelve lists of ten of the list before: a sentence that quotes the last of them would have 10 million million letters."""
    lists = ["&l0 [x,x,x,x,x,x,x,x,x,x]", *(f"&l{n} [" + ",".join([f"*l{n - 1}"] * 10) + "]" for n in range(1, 12))]
    text = MANIFEST_OF_NOTHING + "mapping: {person: [" + ", ".join(lists) + "]}\n"
    began = time.process_time()
    with pytest.raises(ModelError, match="refers back"):
        manifest_of(text.encode())
    assert time.process_time() - began < 5  # a second of it would be much; it took minutes, and then all memory


@pytest.mark.parametrize("what", ["fifo", "folder", "device", "link to a device"])
def test_what_is_no_file_is_not_waited_for(what: str, tmp_path: Path):
    folder = folder_of(tmp_path, answering({"output0": V8}))
    model = folder / "tiny.onnx"
    model.unlink()
    if what == "fifo":
        os.mkfifo(model)
    elif what == "folder":
        model.mkdir()
    else:
        model.symlink_to("/dev/zero" if what == "device" else "/dev/stdin")
    with pytest.raises(ModelError):
        read_folder(folder)


def test_the_sum_is_held_against_the_model(tmp_path: Path):
    folder = folder_of(tmp_path, answering({"output0": V8}))
    with (folder / "tiny.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelError, match="not the model that the manifest speaks of"):
        read_folder(folder)


def test_a_folder_without_a_manifest_or_a_model_says_so(tmp_path: Path):
    with pytest.raises(ModelError, match="there is no folder"):
        read_manifest(tmp_path / "none")
    with pytest.raises(ModelError, match="there is no manifest"):
        read_manifest(tmp_path)
    (folder_of(tmp_path, b"x") / "tiny.onnx").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        read_folder(tmp_path)


def test_a_model_that_is_too_large_is_not_read(tmp_path: Path):
    folder = folder_of(tmp_path, b"x")
    with (folder / "tiny.onnx").open("r+b") as file:
        file.truncate((256 << 20) + 1)  # a hole: nothing is written
    with pytest.raises(ModelError, match="larger than 256 MiB"):
        read_folder(folder)


def outside() -> bytes:
    """Its weights are said to lie in another file."""
    model = answering({"output0": V8})
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "/etc/hostname"), ("offset", "0"), ("length", "8")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    return model.SerializeToString()


REFUSED_MODELS = {
    "not a model": (lambda: b"MZ" + bytes(range(256)) * 9, {}, "cannot be opened"),
    "cut off": (lambda: answering({"output0": V8}).SerializeToString()[:-90], {}, "cannot be opened"),
    "weights elsewhere": (outside, {}, "cannot be opened"),
    "a fingerprint": (lambda: answering({"output": np.ones((1, 512), F)}), {}, "a fingerprint to compare"),
    "a fingerprint by name": (lambda: answering({"embedding": np.ones((1, 512), F)}), {}, "known again"),
    "landmarks": (
        lambda: answering({"output0": np.zeros((1, 20, 99), F)}),
        {"classes": ["person"]},
        "landmarks or outlines",
    ),
    "landmarks in v5": (
        lambda: answering({"output": np.zeros((1, 99, 16), F)}),
        {"layout": "yolov5", "classes": ["person"]},
        "landmarks or outlines",
    ),
    "landmarks after all": (
        lambda: answering({"output": np.zeros((1, 9, 57), F)}),
        {"layout": "yolo-nms"},
        "landmarks or outlines",
    ),
    "a task": (lambda: answering({"output0": V8}, meta={"task": "pose"}), {}, "'pose'"),
    "names within": (
        lambda: answering({"output0": V8}, meta={"names": "{0: 'face', 1: 'car', 2: 'dog'}"}),
        {},
        "tells people apart",
    ),
    "another size": (lambda: answering({"output0": V8}, (1, 3, 32, 32)), {}, "another form"),
    "another number of classes": (
        lambda: answering({"output0": V8}),
        {"classes": ["person", "car"]},
        "does not go with its manifest",
    ),
    "two pictures": (lambda: answering({"output0": V8}, sizes=True), {}, "wants more than a picture"),
    "no boxes": (
        lambda: answering({"scores": np.ones((1, 9), F), "x": np.ones((1, 9), F)}),
        {"layout": "ssd"},
        "are expected of the model",
    ),
    "far too much": (lambda: answering({"output0": np.zeros((1, 70_000, 7), F)}), {}, "rows"),
}


@pytest.mark.parametrize("case", REFUSED_MODELS)
def test_a_model_that_is_not_what_it_should_be_is_refused_when_it_is_opened(case: str, tmp_path: Path):
    make, more, expected = REFUSED_MODELS[case]
    more = {"layout": "yolov8", **more}
    with pytest.raises(ModelError) as raised:
        Model(read_folder(folder_of(tmp_path, make(), **more)))
    assert expected in str(raised.value)
