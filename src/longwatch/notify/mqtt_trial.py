"""Whether a broker is there and does its work: one connection of its own, one message that has to come back.

Behaviour over time: it ends within `PATIENCE_S`, and leaves nothing at the broker (the message is not retained). The bridge is not touched: it has another
connection, under another name.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import secrets
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from longwatch.base.clock import Clock
from longwatch.base.secrets import scrub
from longwatch.notify import mqtt_topics as topics
from longwatch.notify.mqtt import client_of
from longwatch.notify.options import MqttOptions

PATIENCE_S = 10.0
_LOGIN = frozenset({4, 5, 134, 135})
"""Answers to a login: not good, not allowed; of MQTT 3 and of 5."""
_REFUSED = 128
"""What a subscription is answered from here on, where it is not granted."""


@dataclass(frozen=True, slots=True)
class Trial:
    """why: "" where the message came back; else one of `unknown_host`, `refused`, `no_answer`, `login`, `certificate`, `files`, `no_tls`, `closed`,
    `not_heard`, `not_back`. detail: the broker's or the system's own words. took_ms: to connect, and have it back. topic: of the message.
    """

    why: str
    detail: str
    took_ms: int
    topic: str


async def try_broker(given: MqttOptions, post: str, clock: Clock, patience_s: float = PATIENCE_S) -> Trial:
    """Connect, listen, say something, hear it. Raises nothing but cancellation."""
    topic, began_us = f"{topics.base(given.prefix, post)}/trial", clock.boottime_us()
    stage = _Stage()
    try:
        async with asyncio.timeout(patience_s):
            await _there_and_back(given, f"longwatch-{post}-trial-{secrets.token_hex(4)}", topic, stage, patience_s)
        why, detail = "", ""
    except _NotHeardError:
        why, detail = "not_heard", ""
    except TimeoutError as error:
        why, detail = _why(error, stage, tls=given.tls), stage.said
    except Exception as error:  # noqa: BLE001  the boundary: whatever a broker or a library does is how the trial ended
        of_system = isinstance(error.__context__, OSError) and not isinstance(error, _FilesError)
        cause = error.__context__ if of_system and error.__context__ is not None else error
        why, detail = _why(cause, stage, tls=given.tls), stage.said or str(cause) or type(cause).__name__
    return Trial(why, scrub(detail)[:500], (clock.boottime_us() - began_us) // 1000, topic)


class _NotHeardError(Exception):
    """The broker lets this user not listen there."""


class _FilesError(Exception):
    """The certificates that are named here cannot be used."""


class _Stage(logging.Handler):
    """How far it came. welcomed: what comes now is no answer to the login. silent: what it means that nothing comes now. said: the last error that the library only logs: a broker that wants a certificate says so after its
    welcome, and the library goes on waiting.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.silent = "no_answer"
        self.welcomed = False
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """As logging.Handler."""
        self.said = record.getMessage()

    def log(self) -> logging.Logger:
        """Of one trial, known to nobody else."""
        log = logging.Logger("longwatch.notify.mqtt_trial")  # noqa: LOG001 - it goes with the trial
        log.addHandler(self)
        return log


async def _there_and_back(given: MqttOptions, name: str, topic: str, stage: _Stage, patience_s: float) -> None:
    """The library is imported here: most posts speak to no broker."""
    aiomqtt = importlib.import_module("aiomqtt")
    token = secrets.token_hex(16)
    try:
        client = client_of(aiomqtt, given, name, patience_s, log=stage.log())
    except (OSError, ValueError) as error:  # nobody was spoken to yet
        raise _FilesError(str(error)) from None
    async with client:
        stage.welcomed = True
        answers = await client.subscribe(topic, qos=1)
        if any(getattr(answer, "value", answer) >= _REFUSED for answer in answers):
            raise _NotHeardError
        stage.silent = "not_back"
        await client.publish(topic, token, qos=1)
        async for message in client.messages:
            if bytes(message.payload or b"") == token.encode():
                return


def _why(error: BaseException, stage: _Stage, *, tls: bool) -> str:
    code: Any = getattr(error, "rc", None)
    if (
        not stage.welcomed and getattr(code, "value", code) in _LOGIN
    ):  # later the library has the same numbers for something else
        return "login"
    if "CERTIFICATE" in stage.said:
        return "certificate"
    if isinstance(error, TimeoutError):
        return "closed" if stage.said and stage.silent == "no_answer" else stage.silent
    if isinstance(error, ssl.SSLError):
        return "certificate" if "CERT" in str(error).upper() else "no_tls"
    if isinstance(error, socket.gaierror):
        return "unknown_host"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, _FilesError):
        return "files"
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return "no_answer"
    if stage.silent == "not_back":
        return "not_back"
    return "no_tls" if tls and isinstance(error, ConnectionError) else "closed"
