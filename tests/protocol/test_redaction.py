"""Masks of private data in text: what they find, and that they take time in proportion to it."""

from __future__ import annotations

import json
import logging
import re
from typing import Callable

import pytest

from navien_nwp500.protocol import capture, capture_masks
from navien_nwp500.protocol.capture import MAX_PAYLOAD_BYTES, find_private, log_frame
from navien_nwp500.protocol.redaction import PATTERNS, mask_text
from support.regex_steps import count_steps

FOUND = [
    ("eyJhbGciOi.eyJzdWIi.c2ln", "***"),
    ("token=eyJhbGciOi.eyJzdWIi.c2ln&x=1", "token=***&x=1"),
    ("prefix-eyJhbGciOi.eyJzdWIi.c2ln", "prefix-***"),
    ("eyJ.eyJhbGciOi.c2ln", "eyJ.***"),
    ("eyJ and eyJhbGciOi", "eyJ and eyJhbGciOi"),
    ("GET /mqtt?X-Amz-Signature=abc&X-Amz-Date=1 HTTP", "GET /mqtt?X-Amz-Signature=***&X-Amz-Date=*** HTTP"),
    ("wrongX-Amz-Date=1", "wrongX-Amz-Date=***"),
    ("X-Amz-=1 X-Amz-Date=", "X-Amz-=1 X-Amz-Date="),
    ("to a.b+c@example.com, d@e", "to ***@***, d@e"),
    ("a@b@example.com", "a@***@***"),
    (f"({'k' * 40})==", "(***)=="),
    (f"key {'k' * 40}== {'k' * 39}", f"key *** {'k' * 39}"),
    ("no secret at all", "no secret at all"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "masked"), FOUND)
def test_private_data_is_masked(text: str, masked: str) -> None:
    assert mask_text(text) == masked
    assert mask_text(masked) == masked


#: Texts of about so many characters, on which earlier patterns took its square.
LONG: list[Callable[[int], str]] = [
    lambda size: "a" * size,
    lambda size: "eyJ" * (size // 3),
    lambda size: "eyJ" * (size // 3) + ".",
    lambda size: "X-Amz-" * (size // 6),
    lambda size: "X-Amz-" * (size // 6) + "= ",
    lambda size: "0f" * (size // 2),
    lambda size: "a" * (size // 2) + "@" + "b" * (size // 2),
    lambda size: "a@" * (size // 2),
    lambda size: "a." * (size // 2),
    lambda size: "a-b " * (size // 4),
    lambda size: "12345678AB" * (size // 10),
    lambda size: "ASIA" * (size // 4),
    lambda size: "01:" * (size // 3),
    lambda size: ("k" * 39 + " ") * (size // 40),
    lambda size: "cmd/1/2/3" * (size // 9),
    lambda size: "\n" * size,
]
#: Patterns for whole texts.
WHOLE = [
    *(one for one in vars(capture_masks).values() if isinstance(one, re.Pattern)),
    *capture_masks.KEPT_TEXTS.values(),
]


@pytest.mark.parametrize("make", LONG)
def test_the_steps_of_every_pattern_grow_like_the_text(make: Callable[[int], str]) -> None:
    for regex in [pattern.regex for pattern in PATTERNS] + WHOLE:
        short, long = (count_steps(regex, make(size), whole=regex in WHOLE) for size in (120, 480))
        assert long <= 5 * short + 20, regex.pattern


@pytest.mark.parametrize(
    "pattern",
    [r"eyJ[\w-]+(\.[\w-]*){1,4}", r"(X-Amz-[\w-]+=)[^&\s]+", r"[\w.+-]+@[\w-]+(\.[\w-]+)+"],
)
def test_the_count_finds_patterns_that_take_the_square(pattern: str) -> None:
    def growth(make: Callable[[int], str]) -> float:
        short, long = (count_steps(re.compile(pattern), make(size)) for size in (60, 240))
        return long / short

    assert any(growth(make) > 10 for make in LONG)


def test_a_large_payload_is_masked_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "navien_nwp500.traffic")
    content = {"response": {"status": {"dhwTemperature": 121}}}
    for size in (MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1):
        log_frame(capture.IN, "cmd/52/x/res", json.dumps(content).encode().ljust(size))
    whole, large = (record.__dict__["entry"] for record in caplog.records)
    assert (whole.payload, large.payload) == (content, "***")
    assert find_private(large.line) == []


def test_keys_of_unknown_form_are_numbered_once() -> None:
    value = {"***": 1, "A b": 2, "***3": 3, "C d": 4, "E f": 5}
    masked = capture_masks.Masker(from_heater=True).payload(value)
    assert masked == {"***": 1, "***2": 2, "***3": 3, "***4": 4, "***5": 5}
