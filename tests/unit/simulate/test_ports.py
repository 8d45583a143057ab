"""The ports of a simulated switch, as SNMP sees them."""

from __future__ import annotations

import pytest

from longwatch.simulate.ports import ADMIN_ENABLE, DETECTION_STATUS, IF_OPER_STATUS, PSE_PORT, SYS_UP_TIME, Ports


@pytest.fixture
def ports() -> Ports:
    return Ports(3, lambda: 4242)


def seen(ports: Ports, number: int) -> tuple[object, object, object]:
    return (
        ports.read((*PSE_PORT, ADMIN_ENABLE, 1, number)), ports.read((*PSE_PORT, DETECTION_STATUS, 1, number)),
        ports.read((*IF_OPER_STATUS, number)),
    )  # fmt: skip


def test_a_port_through_its_states(ports: Ports) -> None:
    changed: list[int] = []
    ports.changed = changed.append
    assert seen(ports, 2) == (1, 3, 1)
    ports.plug(2, on=False)
    assert seen(ports, 2) == (1, 2, 2)
    ports.switch(2, on=False)
    assert seen(ports, 2) == (2, 1, 2)
    ports.plug(2, on=True)
    ports.switch(2, on=True)
    assert seen(ports, 2) == (1, 3, 1)
    ports.ports[2].fault = True
    assert seen(ports, 2) == (1, 4, 2)
    assert seen(ports, 1) == (1, 3, 1)
    assert changed == [2, 2, 2, 2]


def test_a_walk_sees_every_object_once_in_order(ports: Ports) -> None:
    walked, oid = [], ()
    while (after := ports.after(oid)) is not None:
        walked.append(after)
        oid = after
    assert walked == sorted(walked)
    assert len(walked) == 2 + 3 * 3
    assert all(ports.read(oid) is not None for oid in walked)
    assert ports.read(SYS_UP_TIME) == 4242


@pytest.mark.parametrize("oid", [(), (1,), (*IF_OPER_STATUS, 9), (*PSE_PORT, 4, 1, 1), (*PSE_PORT, ADMIN_ENABLE, 2, 1)])
def test_what_is_not_there_cannot_be_read_or_set(ports: Ports, oid: tuple[int, ...]) -> None:
    assert ports.read(oid) is None
    assert not ports.settable(oid, 1)


def test_only_the_administrators_switch_is_settable(ports: Ports) -> None:
    assert ports.settable((*PSE_PORT, ADMIN_ENABLE, 1, 1), 2)
    assert not ports.settable((*PSE_PORT, ADMIN_ENABLE, 1, 1), 3)
    assert not ports.settable((*PSE_PORT, DETECTION_STATUS, 1, 1), 1)
