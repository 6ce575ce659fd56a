"""Text from outside: cleaned once, compared as people read it."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, strategies as st

from navien_nwp500._util.text import clean_text, comparable
from navien_nwp500.protocol.account import UserInfo, parse_device_info
from navien_nwp500.protocol.features import DeviceFeatures
from navien_nwp500.protocol.fields import decode_fields
from navien_nwp500.protocol.tou import decode_tou

#: Any Unicode, with lone surrogates, and often what is special.
ANY_TEXT = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Mn"]),
        st.sampled_from("\r\n\t\x00\x1b\x7f\x85\ufffe\ufdd0\U0010ffff\u202e\ufeff a\u0301"),
    ),
    max_size=20,
)


@given(ANY_TEXT)
def test_cleaned_text_is_one_line_of_printable_characters(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned.splitlines()) <= 1
    cleaned.encode("utf-8")
    kinds = {unicodedata.category(one) for one in cleaned if one not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not any(ord(one) & 0xFFFE == 0xFFFE for one in cleaned)
    assert clean_text(cleaned) == cleaned == unicodedata.normalize("NFC", cleaned)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Großes Haus 🔥", "Großes Haus 🔥"),
        ("Tank \ud83d", "Tank \N{REPLACEMENT CHARACTER}"),
        ("\r\nTank\x1b[31m\r\n 2\x00", "Tank [31m  2"),
        ("Ta\u202enk\u2066", "Tank"),
        ("Ku\u0308che", "Küche"),
        ("👩\u200d🔧 tank", "👩\u200d🔧 tank"),
        ("Sampletown ", "Sampletown "),  # as recorded
        ("\ufdd0\uffff\ufeff", ""),
        ("温水器", "温水器"),
    ],
)
def test_text_is_cleaned_as_a_person_would(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


@given(ANY_TEXT)
def test_every_text_of_the_cloud_and_the_heater_is_cleaned(text: str) -> None:
    cleaned = clean_text(text)
    info = parse_device_info({"deviceInfo": {"deviceName": text}, "location": {"city": text}})
    assert (info.device_name, info.city) == (cleaned, cleaned)
    assert decode_fields(UserInfo, {"userFirstName": text}).user_first_name == cleaned
    features: Any = decode_fields(DeviceFeatures, {"controllerSerialNumber": text})
    assert features.controller_serial_number == cleaned
    plan: dict[str, Any] = {"name": text, "utility": text, "zipCode": 1, "schedule": []}
    tou = decode_tou({"touInfo": plan, "registerPath": text})
    assert (tou.name, tou.utility, tou.register_path) == (cleaned, cleaned, cleaned)


@given(ANY_TEXT)
def test_names_are_compared_as_people_read_them(text: str) -> None:
    key = comparable(text)
    assert comparable(key) == key
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert comparable(unicodedata.normalize(form, text)) == key
    assert comparable(f"  {text}\t") == key
    assert comparable(clean_text(text)) == key


def test_case_width_and_spaces_do_not_matter() -> None:
    for name in ("GROSSES  HAUS", "großes haus", "Großes\u00a0Haus", "ＧＲＯＳＳＥＳ　Haus"):
        assert comparable(name) == "grosses haus"
