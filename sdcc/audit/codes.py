"""The codes of audit messages (PS3.16 Annex D, RFC 3881)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value (PS3.15 A.5.1, CodedValueType)."""

    value: str
    meaning: str
    system: str = "DCM"


class Outcome(IntEnum):
    """EventOutcomeIndicator."""

    SUCCESS = 0
    #: The action was started anew, or done in part.
    MINOR_FAILURE = 4
    #: It was not done.
    SERIOUS_FAILURE = 8
    #: The system is no longer of use.
    MAJOR_FAILURE = 12


# --- Event IDs ---

APPLICATION_ACTIVITY = Code("110100", "Application Activity")
INSTANCES_TRANSFERRED = Code("110104", "DICOM Instances Transferred")
QUERY = Code("110112", "Query")
SECURITY_ALERT = Code("110113", "Security Alert")

# --- Event Type Codes ---

APPLICATION_START = Code("110120", "Application Start")
APPLICATION_STOP = Code("110121", "Application Stop")
NODE_AUTHENTICATION = Code("110126", "Node Authentication")
SECURITY_CONFIGURATION = Code("110129", "Security Configuration")
SOFTWARE_CONFIGURATION = Code("110131", "Software Configuration")
USE_OF_RESTRICTED_FUNCTION = Code("110132", "Use of Restricted Function")

# --- Role ID Codes ---

APPLICATION = Code("110150", "Application")
DESTINATION = Code("110152", "Destination Role ID")
SOURCE = Code("110153", "Source Role ID")

# --- Participant Object ID Type Codes ---

STUDY_INSTANCE_UID = Code("110180", "Study Instance UID")
SOP_CLASS_UID = Code("110181", "SOP Class UID")
NODE_ID = Code("110182", "Node ID")
PATIENT_NUMBER = Code("2", "Patient Number", "RFC-3881")
URI = Code("12", "URI", "RFC-3881")
