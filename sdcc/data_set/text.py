"""Text of a Data Set as Unicode (PS3.5 6.1, PS3.3 C.12.1.1.2).

The Defined Terms, their codecs and escape sequences are pydicom's tables. Its decoding is not used:
it warns instead of telling, obeys a setting of the process, takes bytes of a kanji for delimiters,
and lets Latin-1 and Shift_JIS stand for the default repertoire and JIS X 0201. Nothing here knows
elements, or raises for what the bytes are.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pydicom.charset import CODES_TO_ENCODINGS, ENCODINGS_TO_CODES, default_encoding, python_encoding

#: `(bytes, errors)` to text and the number of bytes that were decoded, as codecs have it.
_Decoder = Callable[[bytes, str], tuple[str, int]]

_decode_ascii: _Decoder = codecs.getdecoder("ascii")

#: The attribute whose value :func:`repertoire` takes.
SPECIFIC_CHARACTER_SET = 0x00080005

# --- character sets ------------------------------------------------------------------------

ASCII, ROMAJI = b"\x1b(B", b"\x1b(J"
#: JIS X 0208 and JIS X 0212: two bytes a character, in ASCII's place.
KANJI = (b"\x1b$B", b"\x1b$(D")
#: The sets of the bytes 21 to 7E; the others are sets of A0 to FF.
G0 = (ASCII, ROMAJI, *KANJI)
#: KS X 1001 and GB 2312.
G1_OF_TWO_BYTES = (b"\x1b$)C", b"\x1b$)A")

#: By byte, "\ufffe" where there is no character. 5C should be a yen sign, but is the delimiter first.
_JIS_X_0201 = "".join(
    [
        *map(chr, range(0x7E)),
        "\u203e\x7f",
        *["\ufffe"] * 0x21,
        *map(chr, range(0xFF61, 0xFFA0)),
        *["\ufffe"] * 0x20,
    ]
)


def _decode_jis_x_0201(data: bytes, errors: str) -> tuple[str, int]:
    return codecs.charmap_decode(data, errors, _JIS_X_0201)


def _decoder(encoding: str) -> _Decoder:
    """What decodes text that is in one of pydicom's encodings throughout."""
    if encoding == default_encoding or ENCODINGS_TO_CODES.get(encoding) in KANJI:
        return _decode_ascii
    return _decode_jis_x_0201 if encoding == "shift_jis" else codecs.getdecoder(encoding)


def _g0_decoder(escape: bytes) -> _Decoder:
    decode = codecs.getdecoder("iso2022_jp_2")  # knows all four
    return lambda data, errors: decode(escape + data, errors)


#: Escape sequence to what decodes the bytes for which it has designated a set.
DECODERS: dict[bytes, _Decoder] = {
    escape: _g0_decoder(escape) if escape in G0 else _decoder(encoding)
    for escape, encoding in CODES_TO_ENCODINGS.items()
}


def _key(term: str) -> str:
    return re.sub(r"[\s\0_-]+", "", term).upper()


_ENCODINGS = {_key(term): encoding for term, encoding in python_encoding.items()}


def _encoding(term: str) -> str | None:
    """pydicom's encoding for a Defined Term, with anything or nothing between the term's parts.

    The sets that exist with code extension alone may be named as if they did without.
    """
    key = _key(term)
    return _ENCODINGS.get(key) or _ENCODINGS.get(key.replace("ISOIR", "ISO2022IR"))


# --- code extension (PS3.5 6.1.2.5) --------------------------------------------------------

_ESCAPES = b"|".join(map(re.escape, CODES_TO_ENCODINGS))
_TOKENS = rb"(?P<escape>%b)|(?P<reset>[%b])|(?P<g0>[^%b\x00-\x20\x7f-\xff]+)|(?P<g1>[\x80-\xff]+)|(?P<rest>.)"


def _tokens(delimiters: bytes) -> re.Pattern[bytes]:
    """What extended text is made of, where these are the delimiters besides TAB, LF, FF and CR."""
    return re.compile(_TOKENS % (_ESCAPES, rb"\t\n\f\r" + delimiters, delimiters), re.DOTALL)


_TEXT_TOKENS = _tokens(rb"\\")
_PERSON_NAME_TOKENS = _tokens(rb"\\^=")
#: While kanji are G0, what would be a delimiter is half a character.
_KANJI_TOKENS = _tokens(b"")

#: The control characters that no text may hold (PS3.5 6.1.3), and what no database takes.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repertoire:
    """The characters that a value of Specific Character Set (0008,0005) makes available."""

    #: For text without escape sequences.
    decoder: _Decoder
    #: The name of a codec of Python that writes it throughout; None: sets have to be designated.
    codec: str | None
    #: The sets designated at first, and again after each delimiter; g1 None: none.
    g0: bytes
    g1: bytes | None
    #: The escape sequences to expect; None: there is no code extension.
    escapes: frozenset[bytes] | None
    #: What may be designated when text is written, in order of preference; empty: only `g0` and `g1`.
    designable: tuple[bytes, ...]
    #: What was wrong with the value itself; None: nothing.
    fault: str | None

    def decode(
        self, value: bytes, *, person_name: bool = False, is_single: bool = False
    ) -> tuple[str, str | None]:
        """The text of one value, or of several with a backslash between.

        Each is without its padding, and a name without the component groups left empty at its end.
        Where there can only be one, a backslash is text like any other (PS3.5 6.2, LT, ST and UT).
        The second of the pair says what was wrong, if anything: then U+FFFD stands in the text
        for what could not be decoded, or the text can be doubted.
        """
        if self.escapes is not None and b"\x1b" in value:
            tokens = _PERSON_NAME_TOKENS if person_name else _TEXT_TOKENS
            text, fault = self._decode_extended(value, tokens, self.escapes)
        else:
            text, fault = _decode(self.decoder, value)
        padding = " \0=" if person_name else " \0"
        singles = [text] if is_single else text.split("\\")
        text = "\\".join([single.rstrip(padding).lstrip(" \0") for single in singles])
        if not text.isprintable() and _NOT_TEXT.search(text):
            return _NOT_TEXT.sub("\ufffd", text), fault or "control characters"
        return text, fault

    def _decode_extended(
        self, value: bytes, tokens: re.Pattern[bytes], expected: frozenset[bytes]
    ) -> tuple[str, str | None]:
        parts = []
        fault = None
        g0, g1 = self.g0, self.g1
        position = 0
        while found := (_KANJI_TOKENS if g0 in KANJI else tokens).match(value, position):
            position = found.end()
            token, kind = found[0], found.lastgroup
            if kind == "escape":
                g0, g1 = (token, g1) if token in G0 else (g0, token)
                if token not in expected:
                    fault = fault or "unannounced escape sequence"
                continue
            if kind == "reset":
                g0, g1 = self.g0, self.g1
            designated = g0 if kind == "g0" else g1 if kind == "g1" else None
            text, wrong = _decode(DECODERS[designated] if designated else _decode_ascii, token)
            parts.append(text)
            fault = fault or wrong
        return "".join(parts), fault


def _decode(decoder: _Decoder, data: bytes) -> tuple[str, str | None]:
    try:
        return decoder(data, "strict")[0], None
    except UnicodeDecodeError:
        return decoder(data, "replace")[0], "bytes outside its character set"


@lru_cache(maxsize=64)
def repertoire(specific_character_set: bytes) -> Repertoire:
    """What a value of Specific Character Set announces; empty: the default repertoire.

    A first term that is unknown stands for the default repertoire; others that are unknown, or
    cannot be combined, are left out.
    """
    encodings = [_encoding(term) for term in specific_character_set.decode("ascii", "replace").split("\\")]
    fault = "unknown term" if None in encodings else None
    first, *others = (encoding or default_encoding for encoding in encodings)
    code = ENCODINGS_TO_CODES.get(first)
    codes = [ENCODINGS_TO_CODES.get(other) for other in others]
    if others and None in (code, *codes):
        fault = fault or "terms that cannot be combined"
    named = tuple(filter(None, (code, *codes)))
    # Those of two bytes a character need their escape sequence even where they are named first and alone.
    has_extension = bool(others) or code in (*KANJI, *G1_OF_TWO_BYTES)
    return Repertoire(
        decoder=_decoder(first),
        codec=first if code is None else None,
        g0=ROMAJI if first == "shift_jis" else ASCII,
        g1=None if code in G0 else code,
        escapes=None if code is None else frozenset((*named, ASCII, ROMAJI)),
        designable=(*named, ASCII) if has_extension else (),
        fault=fault,
    )


#: ASCII: what text is in where nothing is announced, and always for some VRs (PS3.5 6.1.2.1).
DEFAULT_REPERTOIRE = repertoire(b"")
