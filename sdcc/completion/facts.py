"""What the site is told of a stable study, whatever the means."""

from __future__ import annotations

import datetime
import json

from sdcc.interfaces import StableStudy


def facts(study: StableStudy) -> dict[str, str | int | None]:
    """Names and values as JSON has them; None: the objects do not say."""
    return {
        "study_instance_uid": study.study_instance_uid,
        "patient_id": study.patient_id,
        "accession_number": study.accession_number,
        "series": study.series,
        "instances": study.instances,
        "bytes": study.size,
        "calling_ae": study.calling_ae,
        "called_ae": study.called_ae,
        "last_received_at": _text(study.last_received_at),
        "stable_at": _text(study.stable_at),
    }


def as_json(study: StableStudy) -> bytes:
    return json.dumps(facts(study), ensure_ascii=False).encode() + b"\n"


def _text(instant: datetime.datetime) -> str:
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")
