"""The configuration: `sdcc.toml` as frozen dataclasses.

`tables` are the contract, `kinds` and `reading` what values may be, `loading` is from the file to the
tables, and `changes` what may become of one file after another.
"""

from sdcc.config.changes import EFFECTS, Changes, Effect, compare
from sdcc.config.loading import ConfigurationError, load
from sdcc.config.tables import (
    HTTP,
    INDEX_FILE_NAME,
    TLS,
    Access,
    AssociationSettings,
    Configuration,
    Index,
    Local,
    LogSettings,
    Manhole,
    QuerySettings,
    Remote,
    Storage,
)

__all__ = [
    "EFFECTS",
    "HTTP",
    "INDEX_FILE_NAME",
    "TLS",
    "Access",
    "AssociationSettings",
    "Changes",
    "Configuration",
    "ConfigurationError",
    "Effect",
    "Index",
    "Local",
    "LogSettings",
    "Manhole",
    "QuerySettings",
    "Remote",
    "Storage",
    "compare",
    "load",
]
