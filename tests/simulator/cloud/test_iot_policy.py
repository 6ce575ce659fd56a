"""The AWS IoT policy of an account, and the splitting of bytes into MQTT packets."""

from __future__ import annotations

import pytest

from navien_nwp500.simulator.cloud.accounts import CloudAccount
from navien_nwp500.simulator.cloud.iot_policy import Policy, PolicyViolation
from navien_nwp500.simulator.cloud.mqtt_packets import (
    Packet,
    PacketError,
    PacketSplitter,
    publish,
    read_publish,
)
from support.cloud_tools import (
    MAC,
    connect_packet,
    make_account,
    publish_packet,
    subscribe_packet,
    unsubscribe_packet,
)

OTHER_MAC = f"{int(MAC, 16) + 1:012x}"
HEATER = f"cmd/52/navilink-{MAC}"
EVENTS = f"evt/52/navilink-{MAC}"
OTHER_HEATER = f"cmd/52/navilink-{OTHER_MAC}"


LEVELS = [4, 5]


def first_packet(data: bytes, level: int = 4) -> Packet:
    return next(PacketSplitter(1 << 20, level).feed(data))


def connected_policy(
    account: CloudAccount | None = None, client_id: str = "me", level: int = 4
) -> Policy:
    policy = Policy(account or make_account())
    policy.connect(first_packet(connect_packet(client_id, level=level)))
    return policy


TOPICS = [
    f"{HEATER}/st",
    f"{HEATER}/ctrl/rsv/rd",
    f"{HEATER}/me/res",
    f"{EVENTS}/app-connection",
    "cmd/52/me/res",
    "cmd/52/me/res/energy-usage-daily-query/rd",
    "cmd/52/10001/20002/me/res",
    "cmd/52/10001/20002/me/res/did",
]
FILTERS = [
    f"{HEATER}/#",
    f"{HEATER}/+/res",
    f"{EVENTS}/#",
    "cmd/52/me/res/#",
    "cmd/52/+/+/me/res/#",
]
BAD_TOPICS = [
    f"{OTHER_HEATER}/st",
    f"{OTHER_HEATER}/me/res",
    f"{OTHER_HEATER}/x/me/res",
    f"evt/52/navilink-{OTHER_MAC}/app-connection",
    "cmd/52/you/res",
    "cmd/52/10001/20002/you/res",
    "evt/52/me/res",
    f"cmd/1/navilink-{MAC}/st",
    f"xyz/52/navilink-{MAC}/st",
    f"cmd/52/{MAC}/st",
    "$SYS/broker/clients",
    "",
    f"{HEATER}/a/b/c/d/e/f",
    f"{HEATER}/{'x' * 230}",
]
BAD_FILTERS = [
    "#",
    "cmd/#",
    "cmd/52/#",
    "cmd/52/+/st",
    "cmd/52/+/res",
    "cmd/52/+/res/#",
    "cmd/52/navilink-+/#",
    f"{HEATER}/#/res",
    f"{HEATER}/a#",
    f"{OTHER_HEATER}/#",
    "+/52/me/res",
]


def publish_to(topic: str, level: int) -> Packet:
    return first_packet(publish_packet(topic, level=level), level)


def subscribe_to(*filters: str, level: int) -> Packet:
    return first_packet(subscribe_packet(*filters, level=level), level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("topic", TOPICS)
def test_topics_that_may_be_published_and_subscribed(topic: str, level: int) -> None:
    connected_policy(level=level).check(publish_to(topic, level))
    connected_policy(level=level).check(subscribe_to(topic, level=level))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("topic_filter", FILTERS)
def test_filters_that_may_be_subscribed_and_not_published(topic_filter: str, level: int) -> None:
    connected_policy(level=level).check(subscribe_to(topic_filter, level=level))
    with pytest.raises(PolicyViolation):
        connected_policy(level=level).check(publish_to(topic_filter, level))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("topic", BAD_TOPICS)
def test_topics_that_may_not_be_published(topic: str, level: int) -> None:
    with pytest.raises(PolicyViolation):
        connected_policy(level=level).check(publish_to(topic, level))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("topic_filter", BAD_TOPICS + BAD_FILTERS)
def test_filters_that_may_not_be_subscribed(topic_filter: str, level: int) -> None:
    with pytest.raises(PolicyViolation):
        connected_policy(level=level).check(
            subscribe_to("cmd/52/me/res", topic_filter, level=level)
        )


BAD_FIRST = [
    publish_packet(f"{HEATER}/st"),
    connect_packet(""),
    connect_packet("+"),
    connect_packet("#"),
    connect_packet("a/b"),
    connect_packet("x" * 129),
    connect_packet("me", level=3),
    connect_packet("me", level=6),
    connect_packet("a/b", level=5),
    connect_packet("me", level=5, will=f"{OTHER_HEATER}/st"),
    connect_packet("me", will=f"{OTHER_HEATER}/st"),
]


@pytest.mark.parametrize("data", BAD_FIRST)
def test_packets_that_may_not_be_first(data: bytes) -> None:
    with pytest.raises(PolicyViolation):
        Policy(make_account()).connect(first_packet(data))


@pytest.mark.parametrize("level", LEVELS)
def test_connect_with_will_and_user_name(level: int) -> None:
    will = f"{EVENTS}/app-connection"
    packet = first_packet(connect_packet("me", will=will, user="?SDK=x", level=level))
    assert Policy(make_account()).connect(packet)[:2] == (level, "me")


def test_a_publish_without_topic_is_a_violation() -> None:
    """A topic alias of MQTT 5 would bypass the policy."""
    with pytest.raises(PolicyViolation):
        connected_policy(level=5).check(publish_to("", 5))


def test_the_payload_comes_after_the_properties() -> None:
    packet = publish_to(f"{HEATER}/st", 5)
    assert read_publish(packet) == (f"{HEATER}/st", 1, b"{}")
    made = publish(f"{HEATER}/st", b"{}", 5)
    assert read_publish(first_packet(made.raw, 5)) == (f"{HEATER}/st", None, b"{}")


LATER = [
    connect_packet("me"),
    publish_packet(f"{HEATER}/st", qos=2),
    subscribe_packet(f"{HEATER}/st", qos=2),
    subscribe_packet(*(f"{HEATER}/{index}" for index in range(9))),
]


@pytest.mark.parametrize("data", LATER)
def test_packets_that_may_not_be_later(data: bytes) -> None:
    with pytest.raises(PolicyViolation):
        connected_policy().check(first_packet(data))


def test_at_most_fifty_subscriptions() -> None:
    policy = connected_policy()
    for index in range(50):
        policy.check(first_packet(subscribe_packet(f"{HEATER}/{index}")))
    policy.check(first_packet(subscribe_packet(f"{HEATER}/0")))
    policy.check(first_packet(unsubscribe_packet(f"{HEATER}/0")))
    policy.check(first_packet(subscribe_packet(f"{HEATER}/50")))
    with pytest.raises(PolicyViolation):
        policy.check(first_packet(subscribe_packet(f"{HEATER}/0")))


def test_the_splitter_returns_the_same_packets_for_every_chunk_size() -> None:
    packets = [connect_packet("me"), subscribe_packet("a/b"), publish_packet("a", b"x" * 300)]
    stream = b"".join(packets)
    for size in range(1, len(stream)):
        splitter, found = PacketSplitter(1000), []
        for start in range(0, len(stream), size):
            found += [packet.raw for packet in splitter.feed(stream[start : start + size])]
        assert found == packets


@pytest.mark.parametrize("data", [b"\x30\xff\xff\xff\xff", b"\x30\xe9\x07"])
def test_the_splitter_limits_the_size_of_a_packet(data: bytes) -> None:
    with pytest.raises(PacketError):
        list(PacketSplitter(1000).feed(data))


@pytest.mark.parametrize("cut", range(2, 20))
def test_an_incomplete_connect_is_a_packet_error(cut: int) -> None:
    whole = connect_packet("me", will=f"{EVENTS}/x", user="?SDK=x")
    packet = Packet(1, 0, whole[2:][:cut], b"")
    with pytest.raises(PacketError):
        Policy(make_account()).connect(packet)
