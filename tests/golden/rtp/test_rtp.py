"""Every conversation of this folder, as its camera sends it, and torn in every way."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from tests.support.rtp import push_all, samples

from longwatch.formats.media import Loss, TrackFormat
from longwatch.formats.rtp import TrackReceiver, receiver_for
from longwatch.formats.sdp import Media

FILES = sorted(Path(__file__).parent.glob("*.json"))


def _load(path: Path) -> tuple[dict, TrackReceiver]:
    case = json.loads(path.read_text(encoding="utf-8"))
    media = Media(**case["media"], payload_types=(96,))
    receiver = receiver_for(0, media, reorder=case["reorder"])
    assert receiver is not None
    return case, receiver


@pytest.mark.parametrize("together", [True, False], ids=["bulk", "one-by-one"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_conversation(path: Path, together: bool) -> None:
    case, receiver = _load(path)
    out = []
    packets = [(at_us, base64.b64decode(text)) for at_us, text in case["packets"]]
    if together:
        for at_us in sorted({at for at, _ in packets}):
            out += push_all(receiver, [each for at, each in packets if at == at_us], at_us)
    else:
        for at_us, each in packets:
            out += receiver.push(each, [(0, len(each))], at_us)
    out += receiver.flush()
    taken = samples(out)
    expect = case["expect"]
    found = [
        {
            "size": len(s.data), "sha256": hashlib.sha256(s.data).hexdigest(), "dts": s.dts - taken[0].dts, "sync": s.sync,
            "damaged": s.damaged,
        }
        for s in taken
    ]  # fmt: skip
    assert found == expect["samples"]
    assert receiver.notes == expect["notes"]
    assert receiver.lost == expect["lost"] == sum(each.packets for each in out if isinstance(each, Loss))
    assert sum(isinstance(each, TrackFormat) for each in out) == expect["formats"]
    assert all(s.cts_offset >= 0 for s in taken)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_torn_packets_never_raise_and_time_never_goes_back(path: Path) -> None:
    for cut in (1, 2, 5, 11, 12, 13, 14, 15, 16, 20):
        case, receiver = _load(path)
        taken = []
        for number, (at_us, text) in enumerate(case["packets"]):
            each = base64.b64decode(text)
            if number % 5 == 3:
                each = each[:cut]
            taken += samples(push_all(receiver, [each], at_us))
        taken += samples(receiver.flush())
        times = [s.dts for s in taken]
        assert times == sorted(set(times))
        assert all(s.cts_offset >= 0 for s in taken)
