"""Builders of what a peer sends, with a keyword for each field of the wire."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def item() -> Callable[..., bytes]:
    """An item or sub-item; `length` makes it lie about its own."""
    return build_item


@pytest.fixture
def associate_rq() -> Callable[..., bytes]:
    """The body of an A-ASSOCIATE-RQ for Verification, sound but for what is asked for."""
    return build_associate_rq


@pytest.fixture
def associate_ac() -> Callable[..., bytes]:
    """The body of an A-ASSOCIATE-AC that accepts Verification, sound but for what is asked for."""
    return build_associate_ac


def build_item(item_type: int, value: bytes, *, reserved: int = 0, length: int | None = None) -> bytes:
    return struct.pack(">BBH", item_type, reserved, len(value) if length is None else length) + value


def build_associate(
    contexts: bytes,
    *,
    version: int = 1,
    reserved_2: bytes = bytes(2),
    called: bytes = b"SDCC            ",
    calling: bytes = b"CT01            ",
    reserved_32: bytes = bytes(32),
    application_context: bytes = b"1.2.840.10008.3.1.1.1",
    application_context_length: int | None = None,
    user_information_length: int | None = None,
    maximum_length: bytes = b"\0\0\x40\0",
    maximum_length_length: int | None = None,
    implementation_class_uid: bytes = b"1.2.3.4",
    implementation_class_uid_length: int | None = None,
    more_sub_items: bytes = b"",
    more_items: bytes = b"",
    reserved: int = 0,
) -> bytes:
    sub_items = (
        build_item(0x51, maximum_length, length=maximum_length_length, reserved=reserved),
        build_item(0x52, implementation_class_uid, length=implementation_class_uid_length, reserved=reserved),
        more_sub_items,
    )
    return b"".join(
        (
            struct.pack(">H2s16s16s32s", version, reserved_2, called, calling, reserved_32),
            build_item(0x10, application_context, length=application_context_length, reserved=reserved),
            contexts,
            build_item(0x50, b"".join(sub_items), length=user_information_length, reserved=reserved),
            more_items,
        )
    )


def build_associate_rq(
    *,
    context_id: int = 1,
    context_length: int | None = None,
    abstract_syntax: bytes = b"1.2.840.10008.1.1",
    abstract_syntax_length: int | None = None,
    transfer_syntax: bytes = b"1.2.840.10008.1.2",
    transfer_syntax_length: int | None = None,
    context_value: bytes | None = None,
    more_context_items: bytes = b"",
    reserved: int = 0,
    **fields: Any,
) -> bytes:
    value = context_value
    if value is None:
        value = b"".join(
            (
                bytes((context_id, reserved, reserved, reserved)),
                build_item(0x30, abstract_syntax, length=abstract_syntax_length, reserved=reserved),
                build_item(0x40, transfer_syntax, length=transfer_syntax_length, reserved=reserved),
                more_context_items,
            )
        )
    context = build_item(0x20, value, length=context_length, reserved=reserved)
    return build_associate(context, reserved=reserved, **fields)


def build_associate_ac(
    *,
    context_id: int = 1,
    result: int = 0,
    context_length: int | None = None,
    transfer_syntax_items: bytes | None = None,
    reserved: int = 0,
    **fields: Any,
) -> bytes:
    if transfer_syntax_items is None:
        transfer_syntax_items = build_item(0x40, b"1.2.840.10008.1.2", reserved=reserved)
    value = bytes((context_id, reserved, result, reserved)) + transfer_syntax_items
    context = build_item(0x21, value, length=context_length, reserved=reserved)
    return build_associate(context, reserved=reserved, **fields)
