"""Temperatures in ONVIF metadata: as cameras write them, and as nobody should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.formats.onvif_radiometry import MOST_BYTES, MOST_READINGS, Reading, RuleState, parse
from longwatch.simulate.radiometry import ITEM, document

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ttr="{ttr}"'
    ' xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2" xmlns:tns1="http://www.onvif.org/ver10/topics"><tt:Event>'
)
TAIL = "</tt:Event></tt:MetadataStream>"
STANDARD = "http://www.onvif.org/ver20/analytics/radiometry"


def told(topic: str, data: str, ttr: str = STANDARD) -> bytes:
    return (
        HEAD.format(ttr=ttr)
        + f'<wsnt:NotificationMessage><wsnt:Topic Dialect="x">\n  {topic}\n</wsnt:Topic><wsnt:Message><tt:Message UtcTime="2026-06-23T12:00:01.000Z">'
        + f"{data}</tt:Message></wsnt:Message></wsnt:NotificationMessage>{TAIL}"
    ).encode()


def test_a_box_as_a_camera_of_hanwha_writes_it() -> None:
    """Its namespace begins with https, and it adds what the standard does not know."""
    box = (
        '<tt:Data><tt:ElementItem Name="Reading"><ttr:BoxTemperatureReading ItemID="D" AreaName="Oven" MaxTemperature="352.5" MaxTemperatureCoordinatesX="243"'
        ' MinTemperature="329.6" AverageTemperature="343.5"/></tt:ElementItem></tt:Data>'
    )
    said = parse(told("tns1:VideoAnalytics/Radiometry/BoxTemperatureReading", box, STANDARD.replace("http", "https")))
    assert said.readings == (Reading("D", "Oven", 352.5, 329.6, 343.5),)
    assert said.rules == ()


def test_a_spot_has_one_temperature() -> None:
    said = parse(document(21.5))
    assert said.readings == (Reading(ITEM, "", 294.65, 294.65, 294.65),)


def test_the_cameras_own_rule_and_only_that_topic() -> None:
    data = '<tt:Source><tt:SimpleItem Name="Rule" Value="Oven too hot"/></tt:Source><tt:Data><tt:SimpleItem Name="State" Value="{}"/></tt:Data>'
    for topic in (
        "tns1:RuleEngine/Radiometry/TemperatureAlarm",
        "tns1:RuleEngine/tns1:Radiometry/tns1:TemperatureAlarm",
    ):
        assert parse(told(topic, data.format("true"))).rules == (RuleState("Oven too hot", on=True),)
        assert parse(told(topic, data.format("false"))).rules == (RuleState("Oven too hot", on=False),)
    assert parse(told("tns1:VideoSource/MotionAlarm", data.format("true"))).rules == ()


@pytest.mark.parametrize("value", ["", "warm", "nan", "inf", "1e99"])
def test_what_is_no_temperature_is_none(value: str) -> None:
    spot = f'<ttr:SpotTemperatureReading ItemID="a" SpotTemperature="{value}"/>'
    assert parse(told("tns1:VideoAnalytics/Radiometry/SpotTemperatureReading", spot)).readings == ()


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>', "document type"),
        (b"<a>" * 100, "too deep"),
        (b"<a", "no XML"),
        (b"", "no XML"),
        (b'<?xml version="1.0" encoding="ETF-8"?><a/>', "no XML"),
        (b"\xff\xfe\x00", "no XML"),
        (b"<a>" + b" " * MOST_BYTES + b"</a>", "256 KiB"),
    ],
)
def test_what_no_camera_should_send_is_refused(document: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(document)


def test_a_flood_of_readings_is_bounded() -> None:
    spot = '<ttr:SpotTemperatureReading ItemID="a" SpotTemperature="300"/>'
    assert len(parse(told("x", spot * 1000)).readings) == MOST_READINGS


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        parse(data)
    except ValueError:
        return
