"""What the tests of whole posts whose cameras measure heat share."""

from __future__ import annotations

from typing import Any

from tests.support.post import Post
from tests.support.wait import until_now

from longwatch.formats.bmff import Mp4File

CAMERA = "oven"
SOON_S = 180.0


def heat_events(post: Post) -> list[dict[str, Any]]:
    """Every one there is."""
    answer = post.get(
        "/api/v1/events", **{"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "kind": "thermal"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def over_and_recorded(post: Post) -> dict[str, Any]:
    """The one event, once it is over and its video is there and plays all the same."""
    until_now(lambda: heat_events(post)[0]["to"], "it is over", SOON_S)
    (event,) = heat_events(post)
    until_now(lambda: post.recorded_until(CAMERA) > event["to"], "it is recorded up to there", SOON_S)
    video = post.get(f"/api/v1/cameras/{CAMERA}/video.mp4", **{"from": event["from"], "to": event["to"]})
    assert video.status_code == 200, video.text
    assert "avc1" in [track.fourcc for track in Mp4File.from_bytes(video.content).tracks]
    return event
