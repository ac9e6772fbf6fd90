"""The configuration: `sdcc.toml` as frozen dataclasses.

`tables` are the contract, `kinds` and `reading` what values may be, `loading` is from the file to the
tables, `ports` says who shares one, and `changes` what may become of one file after another.
"""

from sdcc.config.changes import EFFECTS, Changes, Effect, compare
from sdcc.config.loading import ConfigurationError, load
from sdcc.config.ports import ports
from sdcc.config.tables import (
    HTTP,
    INDEX_FILE_NAME,
    TLS,
    Access,
    AssociationSettings,
    Audit,
    Configuration,
    Index,
    Local,
    LogSettings,
    Manhole,
    QuerySettings,
    Remote,
    Storage,
    StudySettings,
)

__all__ = [
    "EFFECTS",
    "HTTP",
    "INDEX_FILE_NAME",
    "TLS",
    "Access",
    "AssociationSettings",
    "Audit",
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
    "StudySettings",
    "compare",
    "load",
    "ports",
]
