"""The configuration: `sdcc.toml` as frozen dataclasses.

`tables` are the contract, `kinds` and `reading` what values may be, `loading` is from the file to the
tables, and `ports` says who shares one.
"""

from sdcc.config.loading import ConfigurationError, load
from sdcc.config.ports import ports
from sdcc.config.tables import (
    HTTP,
    INDEX_FILE_NAME,
    TLS,
    Access,
    AssociationSettings,
    Configuration,
    Index,
    Local,
    Manhole,
    QuerySettings,
    Remote,
    Storage,
)

__all__ = [
    "HTTP",
    "INDEX_FILE_NAME",
    "TLS",
    "Access",
    "AssociationSettings",
    "Configuration",
    "ConfigurationError",
    "Index",
    "Local",
    "Manhole",
    "QuerySettings",
    "Remote",
    "Storage",
    "load",
    "ports",
]
