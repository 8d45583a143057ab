"""What each pixel of a still measured: of files that libraries made, and of those of FLIR and Hikvision as they are documented."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tests.support import flir
from tests.support.thermal_camera import centikelvin, png, scene, tiff

from longwatch.formats import flir_jpeg, hikvision_thermal
from longwatch.model.heat import HeatPart, HeatScale
from longwatch.pictures.thermal import read

KELVIN = HeatScale(0.01, -273.15)
PLAIN = HeatScale()


@pytest.mark.parametrize("compression", [1, 5, 8])
def test_a_tiff_of_16_bits_is_read_as_it_was_written(compression: int) -> None:
    levels = centikelvin(scene(95.0))
    assert (read(tiff(levels, compression), KELVIN).levels == levels).all()


def test_parts_of_a_png_have_their_temperatures() -> None:
    picture = read(png(centikelvin(scene(95.0))), KELVIN)
    boiler = HeatPart("Boiler", ((0.6, 0.3), (0.7, 0.3), (0.7, 0.45), (0.6, 0.45)))
    whole, area, spot, corner = picture.reads(
        [boiler, HeatPart("Spot", ((103.5 / 160, 43.5 / 120),)), HeatPart("Corner", ((1.0, 1.0),))]
    )
    assert (whole.name, round(whole.highest, 2), round(whole.lowest, 2)) == ("picture", 95.0, 20.0)
    assert area.highest == pytest.approx(95.0)
    assert area.lowest == pytest.approx(21.2, abs=0.1)
    assert 21.2 < area.mean < 95.0
    assert area.hottest == (100.5 / 160, 40.5 / 120)
    assert spot.mean == pytest.approx(95.0)
    assert corner.mean == pytest.approx(22.0, abs=0.02)


def test_without_a_scale_they_are_values() -> None:
    (whole,) = read(png(np.array([[7, 9], [8, 60_000]], np.uint16)), PLAIN).reads([])
    assert (whole.lowest, whole.highest, whole.hottest) == (7.0, 60_000.0, (0.75, 0.75))


def test_a_falling_scale_has_its_hottest_where_the_levels_are_lowest() -> None:
    (whole,) = read(png(np.array([[100, 300]], np.uint16)), HeatScale(-0.1, 50.0)).reads([])
    assert (whole.highest, whole.lowest, whole.hottest) == (40.0, 20.0, (0.25, 0.5))


def test_a_polygon_smaller_than_a_pixel_is_the_pixel_that_it_lies_in() -> None:
    picture = read(png(np.arange(12, dtype=np.uint16).reshape(3, 4)), PLAIN)
    _, speck = picture.reads([HeatPart("Speck", ((0.6, 0.5), (0.61, 0.5), (0.61, 0.51)))])
    assert speck.highest in {6.0}


AMONG = flir.Said(emissivity=0.95, distance=3, reflected=12, atmosphere=25, window=18, transmission=0.9, humidity=0.7)
RAW = np.linspace(13_000, 30_000, 64 * 48).reshape(48, 64).astype(np.uint16)


@pytest.mark.parametrize("said", [flir.Said(), AMONG], ids=["plain", "through a window"])
@pytest.mark.parametrize("form", ["raw", "png swapped", "png"])
def test_a_radiometric_jpeg_says_its_own_temperatures(said: flir.Said, form: str) -> None:
    file = flir.still(RAW, said, png=form != "raw", swapped="swapped" in form)
    picture = read(file, HeatScale(7.0, 7.0))
    for row, column in ((0, 0), (20, 33), (47, 63)):
        wanted = flir.celsius(float(RAW[row, column]), said)
        assert picture.value(float(picture.levels[row, column])) == pytest.approx(wanted, abs=0.01)


def test_the_example_of_the_literature() -> None:
    """raw2temp(18109) of Thermimage's manual: 23.65 °C; through 3 m of damp air and a window another."""
    flat = np.full((4, 4), 18_109, np.uint16)
    for said, wanted in ((flir.Said(), 23.655), (AMONG, 24.806)):
        (whole,) = read(flir.still(flat, said), PLAIN).reads([])
        assert whole.mean == pytest.approx(wanted, abs=0.006)


def test_a_hot_scene_of_flir_keeps_its_whole_span() -> None:
    said = flir.Said(o=0, r2=0.02)
    (whole,) = read(flir.still(np.array([[20_000, 65_535]], np.uint16), said), PLAIN).reads([])
    assert whole.highest > 110
    assert whole.highest == pytest.approx(flir.celsius(65_535.0, said), abs=0.02)


def test_exiftool_reads_our_files_as_they_are_meant(tmp_path: Path) -> None:
    """So the files of these tests are what cameras write, as far as the layout goes."""
    tool = shutil.which("exiftool")
    if tool is None:
        pytest.skip("ExifTool is not installed")
    (tmp_path / "a.jpg").write_bytes(flir.still(RAW, AMONG))
    told = json.loads(subprocess.run([tool, "-j", "-n", tmp_path / "a.jpg"], capture_output=True, check=True).stdout)[0]
    assert (told["RawThermalImageWidth"], told["RawThermalImageHeight"]) == (64, 48)
    assert told["PlanckR1"] == pytest.approx(AMONG.r1)
    assert told["PlanckO"] == AMONG.o
    assert told["PlanckR2"] == pytest.approx(AMONG.r2)
    assert told["ReflectedApparentTemperature"] == pytest.approx(AMONG.reflected, abs=1e-4)
    raw = subprocess.run([tool, "-b", "-RawThermalImage", tmp_path / "a.jpg"], capture_output=True, check=True).stdout
    assert raw.endswith(RAW.astype("<u2").tobytes())


def hikvision(celsius: np.ndarray[tuple[int, int], np.dtype[np.float32]], **said: object) -> bytes:
    """As the ISAPI answers: JSON, the picture, the temperatures, the visible picture."""
    height, width = celsius.shape
    raw = celsius.astype("<f4").tobytes()
    meta = {
        "channel": 2, "jpegPicLen": 4, "jpegPicWidth": width, "jpegPicHeight": height, "p2pDataLen": len(raw), "isFreezedata": False,
        "temperatureDataLength": 4, **said,
    }  # fmt: skip
    parts = [
        (b"application/json", json.dumps({"JpegPictureWithAppendData": meta}).encode()),
        (b"image/jpeg", b"\xff\xd8\xff\xd9"), (b"application/octet-stream", raw), (b"image/jpeg", b"\xff\xd8\xff\xd9"),
    ]  # fmt: skip
    body = b"".join(
        b"--boundary\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s\r\n" % (kind, len(data), data)
        for kind, data in parts
    )
    return body + b"--boundary--\r\n"


def test_an_answer_of_hikvision_says_degrees() -> None:
    celsius = scene(350.0).astype(np.float32)
    picture = read(hikvision(celsius), HeatScale(7.0, 7.0))
    back = picture.levels.astype(np.float64) * (picture.gain or 0) + picture.offset
    assert np.abs(back - celsius).max() <= 0.0051


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "neither"),
        (b"<html>", "neither"),
        (cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes(), "ordinary JPEG"),
        (cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes(), "8 bits, kind 0"),
        (cv2.imencode(".png", np.zeros((8, 8, 3), np.uint16))[1].tobytes(), "16 bits, kind 2"),
        (png(np.zeros((1500, 1500), np.uint16)), "1500x1500"),
        (png(np.arange(10_000, dtype=np.uint16).reshape(100, 100))[:60], "cut off"),
        (hikvision(np.zeros((4, 4), np.float32), temperatureDataLength=2), "4 bytes"),
        (hikvision(np.zeros((4, 4), np.float32), jpegPicWidth=5000), "size"),
        (hikvision(np.zeros((4, 4), np.float32), p2pDataLen=1 << 30), "cut off"),
        (hikvision(np.full((4, 4), np.nan, np.float32)), "no pixel"),
        (b"--" + b"x" * 100 + b"\r\n", "multipart"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_nothing_was_measured_in_is_refused(file: bytes, why: str) -> None:
    with pytest.raises((ValueError, av.FFmpegError), match=why):
        read(file, PLAIN)


def test_any_cut_and_any_changed_byte_of_a_file_is_an_error_or_a_picture() -> None:
    small = np.linspace(13_000, 30_000, 12 * 9).reshape(9, 12).astype(np.uint16)
    rng = np.random.default_rng(6)
    for file in (flir.still(small, AMONG), flir.still(small, png=True), hikvision(scene(9.0, width=12, height=9).astype(np.float32)), tiff(small), png(small)):  # fmt: skip
        for _ in range(150):
            hurt = bytearray(file)
            for at in rng.integers(0, len(hurt), 1 + int(rng.integers(4))):
                hurt[at] = int(rng.integers(256))
            cut = bytes(hurt[: int(rng.integers(1, len(hurt) + 1))]) if rng.random() < 0.4 else bytes(hurt)
            try:
                picture = read(cut, KELVIN)
            except (ValueError, av.FFmpegError):
                continue
            assert all(np.isfinite([each.highest, each.lowest, each.mean]).all() for each in picture.reads([]))


def test_segments_that_do_not_belong_together_are_refused() -> None:
    content = flir.fff([(1, flir.raw_data(RAW)), (0x20, flir.camera_info(AMONG))])
    whole = flir.jpeg(content, piece=3000)
    assert flir_jpeg.parse(whole) is not None
    assert len(content) // 3000 >= 2
    second = whole.index(b"FLIR\0\x01\x01")
    with pytest.raises(ValueError, match="belong together"):
        flir_jpeg.parse(whole[: second + 6] + b"\0" + whole[second + 7 :])
    with pytest.raises(ValueError, match="of 3 segments"):
        flir_jpeg.parse(whole[: second - 4] + whole[whole.index(b"FLIR\0\x01\x02") - 4 :])


def test_hikvision_parts_that_are_missing_are_said() -> None:
    with pytest.raises(ValueError, match="without temperatures"):
        hikvision_thermal.parse(
            b"--b\r\n\r\n" + json.dumps({"JpegPictureWithAppendData": {}}).encode() + b"\r\n--b--\r\n"
        )
    with pytest.raises(ValueError, match="says no JpegPicture"):
        hikvision_thermal.parse(b"--b\r\n\r\n[]\r\n--b--\r\n")
