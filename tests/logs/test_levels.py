"""Which events are told."""

from __future__ import annotations

import pytest
from twisted.logger import LogLevel

from sdcc.logs.levels import Levels, UnknownLevel

INFO = (("sdcc", "info"),)


@pytest.mark.parametrize(
    ("namespace", "lowest"),
    [
        ("sdcc", "warn"),
        ("sdcc.association", "debug"),
        ("sdcc.index.sqlite.SQLiteIndex", "warn"),
        ("sdcc.associations", "warn"),
        ("sdccx", "info"),
        ("twisted.internet.base", "error"),
        ("log_legacy", "info"),
        ("-", "info"),
    ],
)
def test_a_level_holds_for_all_loggers_below_that_have_none_of_their_own(namespace, lowest):
    levels = Levels([("sdcc", "warn"), ("sdcc.association", "debug"), ("twisted", "error")])
    told = [level.name for level in LogLevel.iterconstants() if levels.let_through(namespace, level)]
    every = ["debug", "info", "warn", "error", "critical"]
    assert told == every[every.index(lowest) :]


def test_a_level_changes_at_once_also_for_a_logger_that_was_heard_before():
    levels = Levels(INFO)
    assert not levels.let_through("sdcc.network.exchange.Exchange", LogLevel.debug)
    levels.set("sdcc.network", "debug")
    assert levels.let_through("sdcc.network.exchange.Exchange", LogLevel.debug)
    assert levels.all() == {"sdcc": "info", "sdcc.network": "debug"}
    levels.replace(INFO)
    assert not levels.let_through("sdcc.network.exchange.Exchange", LogLevel.debug)
    assert levels.all() == {"sdcc": "info"}


def test_a_level_that_there_is_not_changes_nothing_and_says_what_is_allowed():
    levels = Levels(INFO)
    for change in (
        lambda: levels.set("sdcc", "loud"),
        lambda: levels.replace([("twisted", "debug"), ("x", "loud")]),
    ):
        with pytest.raises(
            UnknownLevel, match="'loud' is no level; allowed: debug, info, warn, error, critical"
        ):
            change()
        assert levels.all() == {"sdcc": "info"}
