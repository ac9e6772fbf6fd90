"""The DICOM conformance statement of a configuration, in reStructuredText.

Its facts come from `sdcc.conformance` and from the configuration, its words from
`sdcc.statement_text`. Where the program runs and keeps its files is no part of it: two servers of
one configuration have one statement.
"""

from __future__ import annotations

from collections.abc import Iterable

from sdcc import __version__, conformance
from sdcc.config import Configuration
from sdcc.restructuredtext import literal, table
from sdcc.statement_query import answers_limit, query_keys
from sdcc.statement_security import security_profiles
from sdcc.statement_text import TEMPLATE

#: What happens to a calling AE title of no [[remote]], by `unknown_callers`.
UNKNOWN_CALLERS = {
    "accept": "accepted from any address",
    "loopback": "accepted from SDCC's own host, over its loopback addresses, and from nowhere else",
    "reject": "rejected",
}


def conformance_statement(configuration: Configuration) -> str:
    """The whole document; it ends with a line break."""
    association, storage = configuration.association, configuration.storage
    sop_classes = configuration.sop_classes.values()
    return TEMPLATE.substitute(
        version=__version__,
        sop_classes=table(
            ("SOP Class UID", "SOP Class Name", "Service", "Role"),
            [(found.uid, found.name, found.service.capitalize(), "SCP") for found in sop_classes],
        ),
        application_contexts=_application_contexts(),
        maximum_pdu_length=association.maximum_pdu_length,
        association_limits=_association_limits(configuration),
        implementation=table(
            ("Product name", "Implementation Class UID", "Implementation Version Name"),
            [("SDCC", conformance.IMPLEMENTATION_CLASS_UID, conformance.IMPLEMENTATION_VERSION_NAME)],
        ),
        first_local=literal(configuration.locals[0].ae_title),
        unknown_callers=UNKNOWN_CALLERS[configuration.access.unknown_callers],
        known_callers="from its own address alone"
        if configuration.access.check_address
        else "from any address",
        verification_contexts=_verification_contexts(),
        storage_contexts=_storage_contexts(sop_classes),
        query_contexts=_plain_contexts(conformance.QUERY_SERVICE),
        retrieval_contexts=_plain_contexts(conformance.RETRIEVE_SERVICE),
        commitment_contexts=_plain_contexts(conformance.COMMITMENT_SERVICE),
        storage_transfer_syntaxes=table(
            ("Transfer Syntax UID", "Transfer Syntax Name"), conformance.STORAGE_TRANSFER_SYNTAXES.items()
        ),
        maximum_object_size=binary_size(storage.maximum_object_size),
        minimum_free=_free_space_floor(storage.minimum_free),
        index_timeout=f"{configuration.index.timeout:g}",
        timers=_timers(configuration),
        security=security_profiles(configuration),
        extensions=_extensions(len(storage.additional_sop_classes)),
        locals=_locals(configuration),
        remotes=_remotes(configuration),
        character_sets=_character_sets(),
        query_keys=query_keys(),
        maximum_answers=answers_limit(configuration.query.maximum_answers),
    )


def binary_size(count: int) -> str:
    """Bytes in the largest binary unit that shows them exactly."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count % 1024 or not count:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} TiB"


def _application_contexts() -> str:
    return table(
        ("Application Context Name", "Use"),
        [
            (conformance.DICOM_APPLICATION_CONTEXT, "accepted, and the one that SDCC proposes"),
            (conformance.MISPRINTED_APPLICATION_CONTEXT, "accepted, and answered as it was proposed"),
        ],
    )


def _association_limits(configuration: Configuration) -> str:
    locals_ = {local.ae_title: local.max_associations for local in configuration.locals}
    remotes = {remote.ae_title: remote.max_associations for remote in configuration.remotes}
    rows = [
        *((f"to the local AE {literal(ae_title)}", str(limit)) for ae_title, limit in locals_.items()),
        *(
            (f"from the remote AE {literal(ae_title)}", str(limit))
            for ae_title, limit in remotes.items()
            if limit
        ),
        ("in all", str(configuration.association.maximum_open)),
    ]
    return table(("Open at the same time", "At most"), rows)


def _verification_contexts() -> str:
    verification = conformance.VERIFICATION
    return table(
        ("Abstract Syntax", "UID", "Transfer Syntax", "UID", "Role"),
        [
            (verification.name, verification.uid, name, uid, "SCP")
            for uid, name in verification.transfer_syntaxes.items()
        ],
    )


def _storage_contexts(sop_classes: Iterable[conformance.SOPClass]) -> str:
    return table(
        ("Abstract Syntax UID", "Abstract Syntax Name", "Transfer Syntax", "Role"),
        [
            (sop_class.uid, sop_class.name, "see 2.3.2.2.1", "SCP")
            for sop_class in sop_classes
            if sop_class.service == conformance.STORAGE_SERVICE
        ],
    )


def _plain_contexts(service: str) -> str:
    return table(
        ("Abstract Syntax", "UID", "Transfer Syntax", "UID", "Role"),
        [
            (sop_class.name, sop_class.uid, name, uid, "SCP")
            for sop_class in conformance.SERVICE_CLASSES
            if sop_class.service == service
            for uid, name in sop_class.transfer_syntaxes.items()
        ],
    )


def _free_space_floor(minimum: int) -> str:
    if not minimum:
        return "There is no free-space floor: objects are taken until the disk is full."
    return f"No object is taken that would leave less than {binary_size(minimum)} of the disk free."


def _timers(configuration: Configuration) -> str:
    association = configuration.association
    rows = (
        (
            "ARTIM",
            association.artim_timeout,
            "The connection is closed. It runs until an association is requested, and where the peer is to "
            "close the connection (PS3.8 9.1.5).",
        ),
        ("idle", association.idle_timeout, "A-ABORT. It starts anew with each progress of the peer."),
        (
            "drain",
            association.drain_timeout,
            "A-ABORT, where SDCC is being stopped with an operation under way.",
        ),
    )
    return table(("Timer", "Seconds", "When it expires"), [(name, f"{s:g}", then) for name, s, then in rows])


def _extensions(additional: int) -> str:
    if not additional:
        return "None."
    classes = "Class" if additional == 1 else "Classes"
    return f"{additional} Storage SOP {classes} that the published statement has not; see section 2."


def _locals(configuration: Configuration) -> str:
    return table(
        ("AE Title", "Interface", "Port"),
        [
            (literal(local.ae_title), literal(local.interface), str(local.port or "any that is free"))
            for local in configuration.locals
        ],
    )


def _remotes(configuration: Configuration) -> str:
    if not configuration.remotes:
        return "None."
    return table(
        ("AE Title", "Address", "Port", "May use"),
        [
            (
                literal(remote.ae_title),
                literal(remote.address),
                str(remote.port or "none"),
                ", ".join(name for name in conformance.SERVICES if name in remote.services) or "nothing",
            )
            for remote in configuration.remotes
        ],
    )


def _character_sets() -> str:
    return table(
        ("Published as", "Read as", "Character set"),
        [
            (
                literal(row.term),
                literal(row.defined_term) if row.defined_term else "default repertoire",
                row.name,
            )
            for row in conformance.CHARACTER_SETS
        ],
    )
