import pytest

from longwatch.base import secrets
from longwatch.base.errors import UsageError
from longwatch.ingest import CameraUrl


@pytest.fixture(autouse=True)
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords of other tests, some of one letter, would be scrubbed here too."""
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setattr(secrets, "_registered", {})
    monkeypatch.setattr(secrets, "_ordered", ())


@pytest.mark.parametrize(
    ("text", "user", "password", "asked"),
    [
        ("rtsp://10.0.0.5/stream1", "", "", "rtsp://10.0.0.5:554/stream1"),
        ("RTSP://Cam.local:8554/a?b=c&d=e", "", "", "rtsp://cam.local:8554/a?b=c&d=e"),
        ("rtsps://cam/x", "", "", "rtsps://cam:322/x"),
        ("rtsp://admin:hunter2!@cam", "admin", "hunter2!", "rtsp://cam:554"),
        ("rtsp://admin:p%40ss%2Fw%3Ard@cam/x", "admin", "p@ss/w:rd", "rtsp://cam:554/x"),
        ("rtsp://admin:p@ss@cam/x", "admin", "p@ss", "rtsp://cam:554/x"),
        ("rtsp://admin:p/ss?w#rd@cam/x", "admin", "p/ss?w#rd", "rtsp://cam:554/x"),
        ("rtsp://admin:100%@cam/x", "admin", "100%", "rtsp://cam:554/x"),
        ("rtsp://admin:ünï¢ode@cam/x", "admin", "ünï¢ode", "rtsp://cam:554/x"),
        ("rtsp://admin:@cam/x", "admin", "", "rtsp://cam:554/x"),
        ("rtsp://admin@cam/x", "admin", "", "rtsp://cam:554/x"),
        ("rtsp://[fe80::1]:8554/x", "", "", "rtsp://[fe80::1]:8554/x"),
        ("rtsp://[fe80::1%25eth0]/x", "", "", "rtsp://[fe80::1%eth0]:554/x"),
        ("rtsp://cam/x#fragment", "", "", "rtsp://cam:554/x"),
        ("rtsp://cam/who@where", "", "", "rtsp://cam:554/who@where"),
    ],
)
def test_urls(text: str, user: str, password: str, asked: str) -> None:
    url = CameraUrl.parse(text)
    assert (url.user, url.password, url.request_url) == (user, password, asked)


def test_what_could_be_read_in_two_ways_is_settled_by_percent_encoding() -> None:
    """`rtsp://admin:a@b/c@10.0.0.5/x` names the host `b`, as every other reader of URLs has it."""
    assert CameraUrl.parse("rtsp://admin:a@b/c@10.0.0.5/x").host == "b"
    url = CameraUrl.parse("rtsp://admin:a%40b%2Fc@10.0.0.5/x")
    assert (url.host, url.password) == ("10.0.0.5", "a@b/c")


@pytest.mark.parametrize(
    "text",
    [
        "http://cam/x", "file:///etc/passwd", "exec:rm", "rtmp://cam/x", "cam/x", "", "rtsp://", "rtsp:///x", "rtsp://cam:0/",
        "rtsp://cam:99999/", "rtsp://ca m/x", "rtsp://cam/a b", "rtsp://cam/a\r\nEvil: 1", "rtsp://cam:port/x", "-i rtsp://cam",
        "rtsp://" + "a" * 5000, "ffmpeg:rtsp://cam/x",
    ],
)  # fmt: skip
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        CameraUrl.parse(text)


def test_an_error_shows_no_password() -> None:
    with pytest.raises(UsageError) as caught:
        CameraUrl.parse("http://admin:topsecretword@cam/x")
    assert "topsecretword" not in str(caught.value)


def test_a_password_never_shows_and_is_scrubbed_everywhere() -> None:
    url = CameraUrl.parse("rtsp://admin:corr3ct/horse@cam/x?password=batterystaple&channel=1")
    for shown in (str(url), repr(url), f"{url}", f"{url.origin}"):
        assert "corr3ct" not in shown
        assert "batterystaple" not in shown
    assert str(url) == "rtsp://admin:***@cam:554/x?password=***&channel=1"
    assert secrets.scrub("it said corr3ct/horse, corr3ct%2Fhorse and batterystaple") == "it said ***, *** and ***"


def test_the_path_as_requested_keeps_what_the_camera_needs() -> None:
    url = CameraUrl.parse("rtsp://cam/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp")
    assert url.request_url == "rtsp://cam:554/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp"
    assert "tlJwpbo6" not in repr(url)
