"""How a post's streams look, as its hub is told: at once where they change, seldom where only the rate does, and read at the hub as foreign words."""

from __future__ import annotations

from typing import Any

import pytest

from longwatch.health import StreamState, TrackState
from longwatch.model.sessions import StreamKey
from longwatch.node.post.formats_told import RATES_EVERY_US, FormatsTold, tracks_of

GATE = StreamKey("gate", "main")
SOUND = TrackState("mp4a.40.2", kind="audio")
SAID = {"codec": "avc1.64001f", "width": 1280, "height": 720, "fps": 15.0, "bitrate": 2_000_000, "audio": "mp4a.40.2"}


def stream(bitrate: int | None = 2_000_000, width: int = 1280, **more: Any) -> StreamState:
    video = TrackState("avc1.64001f", width, 720, 15.02, bitrate, "video")
    return StreamState(GATE, "recording", recording=True, planned=True, **({"tracks": (video, SOUND)} | more))


def rate(told: dict[str, Any]) -> int | None:
    found = told["gate"]["main"].get("bitrate")
    assert found is None or isinstance(found, int)
    return found


def test_what_a_stream_looks_like_is_told_without_what_is_not_known() -> None:
    assert FormatsTold().now([stream()], 0) == {"gate": {"main": SAID}}
    assert FormatsTold().now([stream(None)], 0)["gate"]["main"].keys() == SAID.keys() - {"bitrate"}
    assert FormatsTold().now([stream(tracks=())], 0) == {}


def test_a_rate_is_told_once_it_is_known_and_then_stands_for_an_hour_and_until_it_is_another() -> None:
    told = FormatsTold()
    assert rate(told.now([stream(None)], 0)) is None
    assert rate(told.now([stream(2_040_000)], 5)) == 2_000_000, "two digits, at once"
    assert rate(told.now([stream(8_000_000)], RATES_EVERY_US)) == 2_000_000, "not within the hour"
    assert rate(told.now([stream(2_900_000)], RATES_EVERY_US + 5)) == 2_000_000, "not by little"
    assert rate(told.now([stream(3_100_000)], RATES_EVERY_US + 5)) == 3_100_000
    assert rate(told.now([stream(None)], 3 * RATES_EVERY_US)) == 3_100_000
    assert rate(told.now([stream(1_000_000)], 3 * RATES_EVERY_US)) == 1_000_000


def test_another_size_is_told_at_once_with_its_rate() -> None:
    told = FormatsTold()
    told.now([stream()], 0)
    assert told.now([stream(9_000_000, width=1920)], 1)["gate"]["main"] == SAID | {"width": 1920, "bitrate": 9_000_000}


def test_what_a_camera_looked_like_last_stands_while_it_is_away_and_while_the_recorder_is() -> None:
    told = FormatsTold()
    told.now([stream()], 0)
    assert told.now([stream(tracks=())], 1) == {"gate": {"main": SAID}}
    assert told.now([], 2) == {"gate": {"main": SAID}}


def test_a_hub_reads_what_was_told() -> None:
    video, audio = tracks_of(SAID, recording=True)
    assert (video.codec, video.width, video.height, video.fps, video.bitrate, video.kind) == (
        "avc1.64001f", 1280, 720, 15.0, 2_000_000, "video",
    )  # fmt: skip
    assert audio == SOUND
    assert tracks_of(SAID, recording=False)[0].bitrate is None, "what is silent sends nothing"


@pytest.mark.parametrize(
    "said",
    [
        None, [], "avc1", {}, {"codec": 7}, {"codec": "x" * 41}, {"codec": "a\nb"}, {"codec": "\u202eavc"}, {"codec": ""},
    ],
)  # fmt: skip
def test_what_is_no_format_is_none(said: object) -> None:
    assert tracks_of(said, recording=True) == ()


@pytest.mark.parametrize("value", [True, -1, 1e300, float("nan"), float("inf"), 10**30, "15", [15], {"a": 1}, None])
def test_numbers_that_cannot_be_are_not_known(value: object) -> None:
    [video] = tracks_of(
        {"codec": "hvc1", "width": value, "height": value, "fps": value, "bitrate": value}, recording=True
    )
    assert (video.width, video.height, video.fps, video.bitrate) == (0, 0, None, None)
