"""One GET from a device: its login as the device asks for it, bounded in size and time, and no redirect followed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.thermal_camera import ThermalCamera, thermal_camera

from longwatch.surroundings import HttpAddress
from longwatch.surroundings.device import DeviceError
from longwatch.surroundings.http_get import get_bytes

MOST = 100_000
LOGIN = ("viewer", "hot-secret")


def address(camera: ThermalCamera, password: str = LOGIN[1]) -> HttpAddress:
    return HttpAddress(
        "http", "127.0.0.1", camera.port, "/thermal.png?format=raw", *((LOGIN[0], password) if camera.login else ())
    )


async def got(where: HttpAddress, most: int = MOST) -> bytes:
    return await get_bytes(where, accept="image/png", within_s=20.0, most_bytes=most)


async def test_a_body_comes_as_it_is() -> None:
    with thermal_camera(bytes(range(256)) * 300) as camera:
        assert await got(address(camera)) == bytes(range(256)) * 300


async def test_a_password_goes_by_digest_and_never_as_it_is_where_the_camera_knows_that() -> None:
    with thermal_camera(b"file", LOGIN) as camera:
        assert await got(address(camera)) == b"file"
        assert (camera.asked, camera.refused) == (1, 1)
        assert camera.logins == ["", "Digest"]


async def test_where_it_asks_for_basic_it_gets_that() -> None:
    with thermal_camera(b"file", LOGIN, scheme="Basic") as camera:
        assert await got(address(camera)) == b"file"
        assert camera.logins == ["", "Basic"]


async def test_a_wrong_password_is_said_without_it() -> None:
    with thermal_camera(b"file", LOGIN) as camera:
        with pytest.raises(DeviceError, match="status 401") as caught:
            await got(address(camera, "wrong-secret"))
        assert "wrong-secret" not in str(caught.value)


def too_large(camera: ThermalCamera) -> None:
    camera.body = bytes(MOST + 1)


def elsewhere(camera: ThermalCamera) -> None:
    camera.status, camera.headers = 302, {"Location": "/other"}


def missing(camera: ThermalCamera) -> None:
    camera.status = 404


@pytest.mark.parametrize(("fault", "why"), [(too_large, "more than"), (elsewhere, "redirect is not followed"), (missing, "status 404")])  # fmt: skip
async def test_what_is_not_taken(fault: Callable[[ThermalCamera], None], why: str) -> None:
    with thermal_camera(b"file") as camera:
        fault(camera)
        with pytest.raises(DeviceError, match=why):
            await got(address(camera))
        assert camera.asked == 1
