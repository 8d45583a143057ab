"""From the resolved settings to options, through the real child process."""

import dataclasses
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


@pytest.mark.slow
async def test_a_stream_whose_password_is_gone_is_known_with_its_place_and_what_runs_goes_on(tmp_path: Path) -> None:
    config, hidden = tmp_path / "longwatch.yml", tmp_path / "secrets.env"
    config.write_text(SETTINGS.replace("very-secret-word", "${GATE}") + "secrets: secrets.env\n")
    hidden.write_text("GATE=very-secret-word\n")
    hidden.chmod(0o600)
    before = (await resolve(config)).cameras[0].streams[0]
    hidden.write_text("")
    options = await resolve(config)
    assert options.problems == (), "these are the settings, and not those of before"
    assert [said.split(": ", 1)[1] for said in options.lacking] == [
        "cameras.gate.streams.main: ${GATE} is not set",
        "cameras.gate.streams.sub: ${GATE} is not set",
    ]
    now = options.cameras[0].streams[0]
    assert (now.lacking, now.url.host, now.url.user, now.url.password) == (("GATE",), "10.0.0.5", "owner", "")
    assert now.after(before) == before
    assert now.after(now) == now, "what never had it has nothing to go on with"
    whole = dataclasses.replace(now, url=before.url, lacking=())
    assert whole.after(dataclasses.replace(before, lacking=("GATE",))) == whole, "the password is back"
    other = dataclasses.replace(before.url, host="10.0.0.7")
    assert now.after(dataclasses.replace(before, url=other)) == now, "a password goes to no other machine"
    quiet = dataclasses.replace(before.ingest, audio=True)
    assert now.after(dataclasses.replace(before, ingest=quiet)) == now, "nothing that was changed is left as it was"


async def test_where_the_user_is_a_secret_too_it_goes_on_with_both(tmp_path: Path) -> None:
    config, hidden = tmp_path / "longwatch.yml", tmp_path / "secrets.env"
    named = SETTINGS.replace("owner:very-secret-word", "${WHO}:${GATE}")
    config.write_text(named + "secrets: secrets.env\n")
    hidden.write_text("WHO=owner\nGATE=very-secret-word\n")
    hidden.chmod(0o600)
    before = (await resolve(config)).cameras[0].streams[0]
    assert before.url.user == "owner"
    hidden.write_text("")
    now = (await resolve(config)).cameras[0].streams[0]
    assert now.after(before) == before
    config.write_text(named.replace("${WHO}", "another") + "secrets: secrets.env\n")
    now = (await resolve(config)).cameras[0].streams[0]
    assert now.after(before) == now, "another user has another password"


@pytest.mark.parametrize(
    "resolved", [{}, {"post": {"id": "x", "timezone": "UTC"}, "volumes": ["/a"], "cameras": [{"id": 1}]}]
)
def test_json_of_another_version_is_refused(resolved: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="one version"):
        decode(resolved)
