"""Clean text from outside, and compare names as people read them."""

from __future__ import annotations

import re
import unicodedata

#: Halves of a UTF-16 pair, as in a name that was cut in the middle of an emoji.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
#: Control characters, and the line and paragraph separators.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CONTROL_AT_END = re.compile(rf"^{_CONTROL.pattern}|{_CONTROL.pattern}\Z")
#: Invisible characters that are a part of emoji and of words of some languages.
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"


def clean_text(text: str) -> str:
    """Return text from outside as one line that is safe to print, send and store.

    Control characters and line breaks become one space, and none at the ends; lone surrogates become
    U+FFFD. Code points that are no characters (XML and MQTT forbid them) are removed, and so are
    invisible ones, such as those that change the direction of the text.
    """
    if text.isascii() and text.isprintable():
        return text  # nearly all
    text = _CONTROL.sub(" ", _CONTROL_AT_END.sub("", text))
    text = _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    return unicodedata.normalize("NFC", "".join(filter(_visible, text)))


def comparable(text: str) -> str:
    """Return a form that is equal for texts that read alike: without case, width and composition."""
    folded = unicodedata.normalize("NFKC", clean_text(text)).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _visible(character: str) -> bool:
    code = ord(character)
    no_character = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    invisible = unicodedata.category(character) == "Cf" and character not in _JOINERS
    return not no_character and not invisible
