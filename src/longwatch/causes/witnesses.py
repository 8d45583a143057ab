"""What the surroundings of a camera say of its silence, and how far that is to be believed.

A word counts only where it was learnt after the silence began, or about then: an address that did not answer while its
stream was playing, or mains that failed long after a camera was switched off, is no witness of this silence.
"""

from __future__ import annotations

from longwatch.base.rfc3339 import format_us
from longwatch.causes.evidence import Evidence
from longwatch.model.surroundings import Answer, Learnt, Power

BEFORE_US = 10_000_000
"""So far apart are told what happens at one moment: a probe, a stream and a UPS do not notice at the same time."""
TOGETHER_US = 60_000_000
"""What happens within this is one event."""
_LAST_OF_IT_US = 2_000_000  # what is still on its way when a stream ends is no sign that another goes on
_ON_THE_WIRE = frozenset({"arp", "ndp"})
_NAMED = 6  # ids listed in an entry; the rest is a number


def answers(e: Evidence) -> bool:
    """The camera's address has answered since the silence began; or its other stream goes on."""
    learnt = e.around.address_learnt
    since_us = e.dark_boot_us + (_LAST_OF_IT_US if learnt.by == "stream" else 0)
    return e.around.address is Answer.ANSWERS and learnt.asked_boot_us >= since_us


def fell_silent(e: Evidence) -> bool:
    """The camera's address no longer answers; and did, or was not asked, before the silence."""
    learnt = e.around.address_learnt
    return (
        e.around.address is Answer.SILENT
        and learnt.asked_boot_us >= e.dark_boot_us
        and learnt.since_boot_us >= e.dark_boot_us - BEFORE_US
    )


def mains_failed_first(e: Evidence) -> bool:
    """The post's mains has failed, and not only after the camera's power or its address was gone. It switches off nothing that was
    switched off by an order.
    """
    if e.around.port_ordered:
        return False
    if port_off(e):
        gone_us = e.around.port_learnt.since_boot_us
    else:
        gone_us = e.around.address_learnt.since_boot_us if fell_silent(e) else e.dark_boot_us
    return e.around.mains is Power.OFF and e.around.mains_learnt.since_boot_us <= gone_us + BEFORE_US


def port_off(e: Evidence) -> bool:
    """A switch, relay or meter says that the camera has no power, and nothing says that it is wrong."""
    if e.around.port_power is not Power.OFF:
        return False
    fed_otherwise = (
        e.around.address is Answer.ANSWERS
        and e.around.address_learnt.asked_boot_us > e.around.port_learnt.since_boot_us + BEFORE_US
    )
    return not fed_otherwise


def silent_on_the_wire(e: Evidence) -> bool:
    """The same, as ARP or NDP says: a port that answers no more is not yet an address that does not."""
    return fell_silent(e) and e.around.address_learnt.by.split(" ")[0] in _ON_THE_WIRE


def switch_restarted(e: Evidence) -> bool:
    """The switch itself started anew about when the silence began, or in it: it took all its cameras along."""
    started_us = e.around.switch_started_boot_us
    return started_us is not None and started_us >= e.dark_boot_us - BEFORE_US


def link_down(e: Evidence) -> bool:
    """The port has power, and no link."""
    return e.around.port_link is Power.OFF and e.around.port_power is Power.ON


def address(e: Evidence) -> dict[str, object]:
    """Whether its address answers, which is all that matters of a camera that speaks."""
    said: dict[str, object] = {}
    if answers(e) or fell_silent(e):
        said["address"] = str(e.around.address)
        _learnt(said, "address", e.around.address_learnt, e.wall_minus_boot_us)
    return said


def facts(e: Evidence) -> dict[str, object]:
    """The surroundings of a dark camera as evidence: what is known, from whom, and since when. Bounded, whatever the number of
    cameras.
    """
    around = e.around
    said = address(e)
    if around.switch:
        said["switch"] = around.switch
        _ids(said, "neighbours_answer", around.neighbours_answer)
        _ids(said, "neighbours_silent", around.neighbours_silent)
    if around.port_power is not Power.UNKNOWN or around.port_link is not Power.UNKNOWN:
        if around.port_power is not Power.UNKNOWN:
            said["port_power"] = str(around.port_power)
        if around.port_link is not Power.UNKNOWN:
            said["port_link"] = str(around.port_link)
        if around.port_detail:
            said["port_detail"] = around.port_detail[:80]
        _learnt(said, "port", around.port_learnt, e.wall_minus_boot_us)
    if switch_restarted(e) and around.switch_started_boot_us is not None:
        said["switch_started"] = format_us(around.switch_started_boot_us + e.wall_minus_boot_us)
    if around.mains is not Power.UNKNOWN:
        said["mains"] = str(around.mains)
        _learnt(said, "mains", around.mains_learnt, e.wall_minus_boot_us)
        if around.battery_percent is not None and around.mains is Power.OFF:
            said["battery_percent"] = around.battery_percent
    return said


def _learnt(said: dict[str, object], of: str, learnt: Learnt, wall_minus_boot_us: int) -> None:
    if learnt.by:
        said[f"{of}_by"] = learnt.by[:80]
    if learnt.since_boot_us:
        said[f"{of}_learnt"] = format_us(learnt.since_boot_us + wall_minus_boot_us)


def _ids(said: dict[str, object], name: str, ids: tuple[str, ...]) -> None:
    if ids:
        more = [f"and {len(ids) - _NAMED} more"] if len(ids) > _NAMED else []
        said[name] = [*sorted(ids)[:_NAMED], *more]
