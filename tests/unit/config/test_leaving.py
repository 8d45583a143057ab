"""Settings told from afar: a password goes where it went before, or nowhere."""

from __future__ import annotations

import pytest

from longwatch.config.leaving import sent_elsewhere

TEXT = """post: {id: ridge}
secrets: secrets.env
cameras:
  gate:
    streams: {main: 'rtsp://u:•••0123abcd@10.0.0.5/main', sub: 'rtsp://u:${GATE}@10.0.0.5/sub'}
mqtt: {host: broker.lan, tls: true, user: me, password: '${BROKER}'}
notify:
  channels:
    mail: {kind: apprise, url: 'mailtos://me:${MAIL}@example.org?to=a@example.org'}
    hook: {kind: webhook, url: 'https://hooks.lan/x', secret: '${HOOK}'}
"""


def test_what_stays_where_it_is_may_be_used_and_what_is_typed_goes_anywhere() -> None:
    assert sent_elsewhere(TEXT, TEXT) == []
    assert sent_elsewhere(TEXT, TEXT.replace("/main'", "/other'").replace("user: me", "user: you")) == []
    assert sent_elsewhere(TEXT, TEXT.replace("${GATE}@10.0.0.5", "typed@10.0.0.9")) == []
    assert sent_elsewhere(TEXT, TEXT.replace("mqtt:", "#mqtt:")) == []


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("•0123abcd@10.0.0.5", "•0123abcd@10.9.9.9", "cameras.gate.streams.main"),
        ("${GATE}@10.0.0.5", "${GATE}@10.9.9.9", "cameras.gate.streams.sub"),
        ("${GATE}@10.0.0.5/sub", "${GATE}@10.9.9.9/@10.0.0.5/sub", "cameras.gate.streams.sub"),
        ("u:${GATE}", "evil.example:${GATE}", "cameras.gate.streams.sub"),
        ("broker.lan", "broker.evil", "mqtt.password"),
        ("tls: true, ", "", "mqtt.password"),
        ("'${BROKER}'", "'${GATE}'", "mqtt.password"),
        ("?to=a@example.org", "?smtp=evil.example&to=a@example.org", "notify.channels.mail.url"),
        ("hooks.lan/x", "evil.example/x", "notify.channels.hook.secret"),
        ("'https://hooks.lan/x'", "'json://evil.example/?x=${MAIL}'", "notify.channels.hook.url"),
        ("secrets.env", "/etc/other.env", "secrets"),
    ],
)  # fmt: skip
def test_what_would_go_to_another_machine_or_less_hidden_is_named(before: str, after: str, key: str) -> None:
    assert key in sent_elsewhere(TEXT, TEXT.replace(before, after, 1))
