"""A folder with a model, asked in a process of its own: what `longwatch model check` and `longwatch settings check` say of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.tiny_models import answering, folder_of, yolov8

from longwatch.config import compose
from longwatch.node.watch.modelling import asked, model_problems

pytestmark = pytest.mark.slow  # each starts a process that loads a runtime


def test_a_good_model_is_described_and_measured(tmp_path: Path):
    said = asked(folder_of(tmp_path, answering({"output0": yolov8()}), mapping={"dog": None}, about="two words"))
    assert said["ok"] is True, said
    assert (said["name"], said["licence"], said["layout"], said["about"]) == (
        "tiny",
        "Apache-2.0",
        "yolov8",
        "two words",
    )
    assert said["classes"] == {"person": "person", "car": "vehicle", "dog": ""}
    assert said["finds"] == ["person", "vehicle"]
    assert 0 <= said["crop_s"] < 2


def test_settings_that_name_a_model_which_cannot_be_used_say_where_and_why(tmp_path: Path):
    folder = folder_of(tmp_path / "models", answering({"output0": yolov8()}), classes=["person", "car"])
    text = f"post: {{id: a}}\ndata: {tmp_path}\ncameras: {{}}\ndetection:\n  model: {folder}\n"
    path = tmp_path / "longwatch.yml"
    path.write_text(text)
    (problem,) = model_problems(compose(path, text, {}, tmp_path))
    assert (problem.line, problem.where) == (5, "detection.model")
    assert "does not go with its manifest" in problem.what
    without = text.split("detection", maxsplit=1)[0]
    assert model_problems(compose(path, without, {}, tmp_path)) == []
