"""What a change of settings takes away, in words; and that no secret stands in what is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.accounting.settings_change import Settings, change, flatten
from longwatch.ledger import canonical

SALT = b"0123456789abcdef"
WORKDAY = [{"days": [0, 1, 2, 3, 4], "from_minute": 360, "to_minute": 540}]


def camera(name: str = "gate", **more: Any) -> dict[str, Any]:
    return {
        "id": name, "name": name, "record": "continuous", "audio": True, "schedule": None, "power_windows": None,
        "streams": {"main": f"rtsp://user:pass@10.0.0.5/{name}", "sub": f"rtsp://10.0.0.5/{name}/sub"}, **more,
    }  # fmt: skip


def resolved(*cameras: dict[str, Any], **retention: Any) -> dict[str, Any]:
    kept = {
        "max_age_s": 30 * 86_400,
        "max_size_bytes": None,
        "keep_free_bytes": None,
        "keep_free_fraction": 0.05,
        "cameras": {},
    }
    return {
        "post": {"id": "ridge", "timezone": "Europe/Oslo"}, "volumes": ["/a", "/b"], "cameras": list(cameras or (camera(),)),
        "retention": kept | retention,
    }  # fmt: skip


def flat(settings: dict[str, Any], *secrets: str) -> Settings:
    return flatten(settings, secrets or ("pass",), SALT)


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in camera().items() if name not in names}


SQUARE = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]]
MASKED = resolved(camera(masks={"window": SQUARE}))
LESS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a camera": (resolved(camera(), camera("yard")), resolved(), "camera yard is removed"),
    "a stream": (resolved(), resolved(camera(streams={"main": "rtsp://user:pass@10.0.0.5/gate"})), "the stream sub of camera gate is removed"),
    "never": (resolved(), resolved(camera(record="never")), "camera gate is not recorded any more"),
    "events": (resolved(), resolved(camera(record="events")), "of camera gate only what belongs to an event is kept"),
    "a schedule": (resolved(), resolved(camera(schedule=WORKDAY)), "camera gate is to be recorded 153 h a week less (schedule)"),
    "no window": (resolved(camera(schedule=WORKDAY)), resolved(camera(schedule=[])), "camera gate is to be recorded 15 h a week less (schedule)"),
    "a later begin": (
        resolved(camera(schedule=WORKDAY)), resolved(camera(schedule=[{**WORKDAY[0], "from_minute": 375}])),
        "camera gate is to be recorded 75 min a week less (schedule)",
    ),
    "as long, elsewhere": (
        resolved(camera(schedule=[{"days": [6], "from_minute": 0, "to_minute": 60}])),
        resolved(camera(schedule=[{"days": [6], "from_minute": 60, "to_minute": 120}])),
        "camera gate is to be recorded 1 h a week less (schedule)",
    ),
    "power": (resolved(), resolved(camera(power_windows=WORKDAY)), "camera gate has power by plan 153 h a week less (power_windows)"),
    "sound": (resolved(), resolved(camera(audio=False)), "the sound of camera gate is not recorded any more"),
    "sabotage": (
        resolved(camera(tamper=True)), resolved(camera(tamper=False)),
        "camera gate is not watched for sabotage any more: nothing says that it is covered, turned or frozen",
    ),
    "age": (resolved(), resolved(max_age_s=14 * 86_400), "footage is kept for 14 d instead of 30 d"),
    "size": (resolved(), resolved(max_size_bytes=5 * 10**11), "at most 500 GB of footage are kept instead of any amount"),
    "room": (resolved(), resolved(keep_free_fraction=0.5), "of each volume 50 % stay free instead of 5 %"),
    "room in bytes": (resolved(), resolved(keep_free_bytes=10**9), "of each volume 1 GB stay free instead of 0 B"),
    "a camera's age": (
        resolved(), resolved(cameras={"gate": {"max_age_s": 86_400, "max_size_bytes": None}}),
        "footage of camera gate is kept for 1 d instead of 30 d",
    ),
    "a volume": (resolved(), resolved() | {"volumes": ["/a"]}, "the volume /b is removed"),
    "a switch": (
        resolved() | {"switches": {"hut": {"snmp": {"address": "10.0.0.2"}}}}, resolved(),
        "switch hut is removed: it tells why a camera is silent",
    ),
    "the UPS": (resolved() | {"ups": {"nut": "ups@localhost"}}, resolved(), "the UPS is removed: it tells why a camera is silent"),
    "a mask": (resolved(), MASKED, "the mask window of camera gate is new: what it covers is not recorded any more"),
    "a mask that is moved": (
        MASKED, resolved(camera(masks={"window": [*SQUARE, [0.1, 0.5]]})),
        "the mask window of camera gate is moved: what it covers is not recorded any more",
    ),
    "a mask taken off": (MASKED, resolved(), "the mask window of camera gate is removed: what it hid is recorded from now on"),
    "where it is plugged in": (resolved(camera(behind="hut")), resolved(), "`behind` of camera gate is removed: it tells why the camera is silent"),
}  # fmt: skip
NOT_LESS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": (resolved(), resolved()),
    "a new camera with limits of its own": (
        resolved(),
        resolved(camera(), camera("yard", record="never", schedule=WORKDAY), cameras={"yard": {"max_age_s": 60, "max_size_bytes": 1}}),
    ),
    "a limit of its own that the post's is below": (resolved(), resolved(cameras={"gate": {"max_age_s": 31 * 86_400, "max_size_bytes": None}})),
    "a wider schedule": (resolved(camera(schedule=WORKDAY)), resolved(camera(schedule=[{**WORKDAY[0], "to_minute": 600}]))),
    "no schedule": (resolved(camera(schedule=WORKDAY)), resolved()),
    "the same windows, said otherwise": (
        resolved(camera(schedule=[{"days": [0], "from_minute": 1320, "to_minute": 120}])),
        resolved(camera(schedule=[{"days": [0], "from_minute": 1320, "to_minute": 1440}, {"days": [1], "from_minute": 0, "to_minute": 120}])),
    ),
    "a shade": (resolved(), resolved(camera(shades={"window": SQUARE}))),
    "the same mask": (MASKED, MASKED),
    "recorded again": (resolved(camera(record="never")), resolved()),
    "watched for sabotage": (resolved(camera(tamper=False)), resolved(camera(tamper=True))),
    "settings of a version that did not say so": (resolved(), resolved(camera(tamper=False))),
    "longer": (resolved(), resolved(max_age_s=60 * 86_400)),
    "a limit lifted": (resolved(max_size_bytes=10), resolved()),
    "a name": (resolved(), resolved(camera() | {"name": "Gate"})),
    "a password": (resolved(), resolved(camera(streams={"main": "rtsp://user:word@10.0.0.5/gate", "sub": "rtsp://10.0.0.5/gate/sub"}))),
    "a volume more": (resolved(), resolved() | {"volumes": ["/a", "/b", "/c"]}),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), LESS.values(), ids=LESS)
def test_what_takes_something_away_says_what(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    assert list(change(flat(before), flat(after)).reduces) == [said]


@pytest.mark.parametrize(("before", "after"), NOT_LESS.values(), ids=NOT_LESS)
def test_what_takes_nothing_away(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert change(flat(before), flat(after)).reduces == ()


def test_the_first_settings_take_nothing_away_and_are_told_whole() -> None:
    told = change(Settings({}), flat(resolved(max_age_s=60)))
    assert told.reduces == ()
    assert told.added == flat(resolved(max_age_s=60)).flat


def test_a_change_is_told_by_key_with_both_values() -> None:
    told = change(flat(resolved()), flat(resolved(camera(record="never"), max_age_s=60)))
    assert told.changed == {"cameras.gate.record": ["continuous", "never"], "retention.max_age_s": [2_592_000, 60]}
    assert not told.added
    assert not told.removed
    assert bool(told)
    assert not change(flat(resolved()), flat(resolved()))


def test_a_secret_is_masked_wherever_it_stands_and_its_change_is_told() -> None:
    before = flat(resolved(), "pass")
    assert before.flat["cameras.gate.streams.main"] == "rtsp://user:(secret)@10.0.0.5/gate"
    after = flat(
        resolved(camera(streams={"main": "rtsp://user:word@10.0.0.5/gate", "sub": "rtsp://10.0.0.5/gate/sub"})), "word"
    )
    assert after.sha256 == before.sha256, "the hash is of the settings without secrets"
    told = change(before, after)
    assert told.changed == {"cameras.gate.streams.main": ["rtsp://user:(secret)@10.0.0.5/gate", "(secret, changed)"]}
    assert change(before, flat(resolved(), "pass")).changed == {}


@pytest.mark.slow
@given(st.text(min_size=1, max_size=30), st.text(max_size=20))
def test_no_secret_is_told_whatever_it_is(secret: str, around: str) -> None:
    settings = flat(resolved(camera(note=around + secret + around)), secret)
    value = str(settings.flat["cameras.gate.note"]).replace("(secret)", "")
    assert secret not in value or secret in "(secret)"


@pytest.mark.slow
def test_a_thousand_cameras_are_told_in_entries_that_are_small_enough_and_lose_nothing() -> None:
    many = flat(resolved(*(camera(f"camera-{n}") for n in range(1000))))
    told = change(Settings({}), many)
    parts = told.parts()
    assert len(parts) > 1
    assert all(len(canonical(part)) < 60_000 for part in parts)
    merged: dict[str, Any] = {}
    for part in parts:
        merged |= part["added"]
    assert merged == many.flat
    gone = change(many, flat(resolved()))
    assert len(gone.reduces) == 51
    assert gone.reduces[-1] == "and 950 more"


def test_every_value_can_stand_in_the_ledger() -> None:
    for value in flat(resolved() | {"x": {"f": 0.1, "l": [0.5, {"b": [True]}], "n": None}}).flat.items():
        assert canonical(dict([value]))
    odd = flat(resolved() | {"big": 1 << 70, "lone": "\ud800", "also pass\udc00": "pass\ud800"})
    assert (odd.flat["big"], odd.flat["lone"]) == (str(1 << 70), "?")
    assert odd.fingerprints["also pass?"]
    assert len(odd.sha256) == 64


@pytest.mark.parametrize("windows", ["nonsense", '{"days": 1}', '[{"days": "x"}]', "[1]", "[[]]", "null"])
def test_windows_that_cannot_be_read_are_always(windows: str) -> None:
    before = Settings({"cameras.gate.schedule": json.dumps(WORKDAY), "cameras.gate.record": "continuous"})
    after = Settings({"cameras.gate.schedule": windows, "cameras.gate.record": "continuous"})
    assert change(before, after).reduces == ()


def test_masks_interrupt_their_camera_and_shades_do_not() -> None:
    assert change(flat(resolved()), flat(MASKED)).interrupted() == {"gate"}
    assert change(flat(resolved()), flat(resolved(camera(shades={"a": SQUARE})))).interrupted() == set()


@pytest.mark.parametrize("secrets", [("never",), ("continuous", "never", "e"), ("from_minute", "0", "{")])
def test_a_secret_that_is_a_word_of_the_settings_hides_nothing_that_is_taken_away(secrets: tuple[str, ...]) -> None:
    made = change(flat(resolved(), *secrets), flat(resolved(camera(record="never", schedule=WORKDAY)), *secrets))
    assert "camera gate is not recorded any more" in made.reduces
    assert any("153 h a week less" in line for line in made.reduces)
    assert made.changed["cameras.gate.record"] == ["continuous", "never"]


def test_a_mask_that_is_moved_from_one_secret_to_another_is_moved() -> None:
    other = resolved(camera(masks={"window": [[0.2, 0.1], [0.4, 0.1], [0.4, 0.4]]}))
    made = change(flat(MASKED, "0.1", "0.2"), flat(other, "0.1", "0.2"))
    assert made.reduces == ("the mask window of camera gate is moved: what it covers is not recorded any more",)


def test_a_secret_stays_covered_in_an_address_whatever_its_stream_is_called() -> None:
    made = flat(
        resolved(camera(streams={"main": "rtsp://user:pass@10.0.0.5/a", "record": "rtsp://user:pass@10.0.0.5/b"}))
    )
    assert "pass" not in json.dumps(made.flat)


def test_a_schedule_that_is_too_long_to_be_told_is_judged_whole() -> None:
    minutes = [{"days": [0], "from_minute": n, "to_minute": n + 1} for n in range(0, 400, 2)]
    before, after = flat(resolved()), flat(resolved(camera(schedule=minutes)))
    assert len(str(after.flat["cameras.gate.schedule"])) <= 2000
    assert change(before, after).reduces == ("camera gate is to be recorded 9880 min a week less (schedule)",)
    shorter = flat(resolved(camera(schedule=minutes[:-1])))
    assert change(after, shorter).reduces == ("camera gate is to be recorded 1 min a week less (schedule)",)
    assert "cameras.gate.schedule" in change(after, shorter).changed, "though it begins alike"


def test_a_long_schedule_that_was_read_back_and_is_the_same_takes_nothing_away() -> None:
    minutes = [{"days": [0], "from_minute": n, "to_minute": n + 1} for n in range(0, 400, 2)]
    known = flat(resolved(camera(schedule=minutes)))
    read_back = Settings(known.flat, known.fingerprints)
    assert not change(read_back, known)
    assert not change(read_back, known).reduces
    assert change(read_back, flat(resolved(camera(schedule=WORKDAY)))).reduces, (
        "how much less is not known; that it is less, may be"
    )
