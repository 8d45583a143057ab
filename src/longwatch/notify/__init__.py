"""Telling people: which message goes to whom and when, until somebody acknowledges it. By Apprise, web push, webhooks and MQTT.

Comes in: `Happening`s (made of events, alarms and health issues by `feeds`), settings as `Options`. Goes out: messages by channels, and the
state of the post by MQTT. Promises: what was taken is a row before it is sent, and is sent at least once, under the same key; a restart
loses none; nothing becomes a flood: what is held back is counted, and said in the next message. State: the deliveries in `server.db`, and
the key of web push beside it, both written by the server alone. Pure: `happening`, `rules`, `words`, `week`, `feeds`, `mqtt_topics`, `discovery`.

`desk.Desk` puts it together, `mqtt.Bridge` speaks to a broker; both are imported by those who want them, since settings are read without.
"""

from longwatch.notify.happening import Happening, Phase
from longwatch.notify.options import ChannelOptions, MqttOptions, Options
from longwatch.notify.rules import Message, Recipient, Rule, Rules, Step

__all__ = [
    "ChannelOptions",
    "Happening",
    "Message",
    "MqttOptions",
    "Options",
    "Phase",
    "Recipient",
    "Rule",
    "Rules",
    "Step",
]
