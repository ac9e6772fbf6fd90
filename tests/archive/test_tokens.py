"""Whose a file is can be told from its name."""

from __future__ import annotations

import pytest

from sdcc.archive.tokens import Tokens


def test_no_two_are_the_same_and_each_is_safe_in_a_name():
    tokens = Tokens("5f0e")
    given = [tokens() for _ in range(100)]
    assert len({*given}) == 100
    assert all(token.isalnum() for token in given)


@pytest.mark.parametrize("uid", ["1.2.3", "5f0e", "5f0e-5f0e"])
def test_a_process_knows_its_own_files_and_no_others(uid):
    tokens, others = Tokens("5f0e"), Tokens("5f0f")
    path = f"objects/2026/07/04/5f0e/1.2.3/{uid}-{{}}.dcm"
    assert tokens.are_in(path.format(tokens()))
    assert not tokens.are_in(path.format(others()))
    assert not tokens.are_in("objects/stray")
