"""From the resolved settings to options, through the real child process."""

from pathlib import Path

import pytest

from longwatch.accounting import Window
from longwatch.base import secrets
from longwatch.base.errors import UsageError
from longwatch.model.sessions import StreamKey
from longwatch.node.recorder.options import decode, resolve

SETTINGS = """
post: {id: north, name: North, timezone: Europe/Oslo}
data: [/srv/a, /srv/b]
cameras:
  gate:
    name: Gate
    streams: {main: 'rtsp://owner:very-secret-word@10.0.0.5/one', sub: 'rtsp://owner:very-secret-word@10.0.0.5/two'}
    transport: udp
    audio: false
    schedule: [{days: mon-fri, from: '06:00', to: '09:00'}]
  yard: {name: Yard, record: never, streams: {main: 'rtsp://10.0.0.6/one'}}
retention: {max_age: 14d, max_size: 500GB, keep_free: 5%}
"""


@pytest.mark.slow
async def test_the_childs_json_becomes_options(tmp_path: Path) -> None:
    config = tmp_path / "longwatch.yml"
    config.write_text(SETTINGS)
    options = await resolve(config)
    assert options.volumes == (Path("/srv/a"), Path("/srv/b"))
    gate, yard = options.cameras
    assert [stream.key for stream in gate.streams] == [StreamKey("gate", "main"), StreamKey("gate", "sub")]
    assert (gate.streams[0].ingest.transport, gate.streams[0].ingest.audio) == ("udp", False)
    assert gate.windows == (Window(frozenset(range(5)), 360, 540),)
    assert (yard.never, yard.windows) == (True, None)
    assert options.archive.retention.max_age_us == 14 * 86_400 * 1_000_000
    assert options.archive.retention.max_size_bytes == 500 * 10**9
    assert options.archive.retention.keep_free_fraction == pytest.approx(0.05)
    assert "very-secret-word" not in secrets.scrub(repr(options))
    again = await resolve(config)
    assert again.cameras == options.cameras, "equal settings interrupt nothing"


@pytest.mark.slow
async def test_wrong_settings_are_named_with_their_line(tmp_path: Path) -> None:
    config = tmp_path / "longwatch.yml"
    config.write_text(SETTINGS.replace("transport: udp", "transport: pigeon"))
    with pytest.raises(UsageError, match="8"):
        await resolve(config)


@pytest.mark.parametrize(
    "resolved", [{}, {"post": {"id": "x", "timezone": "UTC"}, "volumes": ["/a"], "cameras": [{"id": 1}]}]
)
def test_json_of_another_version_is_refused(resolved: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="one version"):
        decode(resolved)
