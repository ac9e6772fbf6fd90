"""The configuration: `sdcc.toml` as frozen dataclasses.

`tables` are the contract, `kinds` and `reading` what values may be, and `loading` is from the file to the
tables.
"""

from sdcc.config.loading import ConfigurationError, load
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
    "Audit",
    "Configuration",
    "ConfigurationError",
    "Index",
    "Local",
    "Manhole",
    "QuerySettings",
    "Remote",
    "Storage",
    "load",
]
