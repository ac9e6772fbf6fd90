"""Text written in the character sets that a peer named (PS3.5 6.1, PS3.3 C.12.1.1.2).

The counterpart of :mod:`sdcc.data_set.text`, from whose tables it is made: what it writes, that reads.
"""

from __future__ import annotations

from functools import lru_cache

from sdcc.data_set.text import ASCII, DECODERS, G0, G1_OF_TWO_BYTES, KANJI, ROMAJI, Repertoire

#: Where the sets designated at first are designated again (PS3.5 6.1.2.5.3).
_DELIMITERS, _PERSON_NAME_DELIMITERS = frozenset("\\\t\n\f\r"), frozenset("\\^=\t\n\f\r")
#: What writes a character of the sets of two bytes, among others; those of G0 with their escape sequence.
_CODECS = dict(
    zip((*KANJI, *G1_OF_TWO_BYTES), ("iso2022_jp", "iso2022_jp_1", "euc_kr", "gb2312"), strict=True)
)


def encode(text: str, repertoire: Repertoire, *, person_name: bool = False) -> bytes | None:
    """The bytes of one value, or of several with a backslash between; None: the sets cannot hold it."""
    if repertoire.codec is not None:
        try:
            return text.encode(repertoire.codec)
        except UnicodeEncodeError:
            return None
    if repertoire.g0 == ASCII and text.isascii():
        return text.encode()
    return _encode_extended(text, repertoire, _PERSON_NAME_DELIMITERS if person_name else _DELIMITERS)


def _encode_extended(text: str, repertoire: Repertoire, delimiters: frozenset[str]) -> bytes | None:
    first_g0 = g0 = repertoire.g0
    # One of two bytes is designated in each value in which it is used, as all examples of the standard do.
    first_g1 = g1 = None if repertoire.g1 in G1_OF_TWO_BYTES else repertoire.g1
    parts = []
    for character in text:
        if character in delimiters:
            if g0 != first_g0:
                parts.append(first_g0)
            g0, g1 = first_g0, first_g1
            parts.append(character.encode())
            continue
        for escape in (g0, g1, first_g0, *repertoire.designable):
            if escape is not None and (coded := _coded(escape, character)) is not None:
                break
        else:
            return None
        if escape not in G0 and g0 in KANJI:
            # They could stay designated, but many a reader thinks of one set at a time.
            parts.append(first_g0)
            g0 = first_g0
        if escape not in (g0, g1):
            parts.append(escape)
            g0, g1 = (escape, g1) if escape in G0 else (g0, escape)
        parts.append(coded)
    if g0 != first_g0:
        parts.append(first_g0)
    return b"".join(parts)


@lru_cache(maxsize=4096)
def _coded(escape: bytes, character: str) -> bytes | None:
    """A character in the set that an escape sequence designates; None: it is not in it."""
    if escape not in _CODECS:
        return _single_bytes(escape).get(character)
    try:
        coded = character.encode(_CODECS[escape])
    except UnicodeEncodeError:
        return None
    if escape in KANJI:
        # The codec knows other sets too, and returns to ASCII.
        return coded[len(escape) : -len(ASCII)] if coded.startswith(escape) else None
    return coded if len(coded) == 2 and min(coded) > 0xA0 else None


@lru_cache
def _single_bytes(escape: bytes) -> dict[str, bytes]:
    """The set's characters; a control character is in none."""
    codes = range(0x20, 0x7F) if escape in (ASCII, ROMAJI) else range(0xA0, 0x100)
    written = [bytes([code]) for code in codes]
    characters = {DECODERS[escape](code, "replace")[0]: code for code in written}
    characters.pop("\ufffd", None)
    return characters
