"""What a retrieval has sent, by study: for whoever records it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sdcc.interfaces import StudyTransfer

#: Studies that are told apart; as many as an Identifier can list by UIDs of full length. Those beyond are
#: one together.
MOST_STUDIES = 4096
BEYOND = ""


@dataclass(slots=True)
class _Study:
    patient_id: str | None
    patient_name: str | None
    instances: Counter[str] = field(default_factory=Counter)


class Transfers:
    """Of one retrieval."""

    def __init__(self, *, most_studies: int = MOST_STUDIES) -> None:
        self._most_studies = most_studies
        self._studies: dict[str, _Study] = {}

    def add(
        self,
        study_instance_uid: str,
        patient_id: str | None,
        patient_name: str | None,
        sop_class_uid: str,
    ) -> None:
        """An object was sent, and taken."""
        study = self._studies.get(study_instance_uid)
        if study is None:
            if len(self._studies) >= self._most_studies:
                study_instance_uid, patient_id, patient_name = BEYOND, None, None
            study = self._studies.setdefault(study_instance_uid, _Study(patient_id, patient_name))
        study.instances[sop_class_uid] += 1

    def studies(self) -> tuple[StudyTransfer, ...]:
        """In the order in which they were begun."""
        return tuple(
            StudyTransfer(
                study_instance_uid=uid,
                patient_id=study.patient_id,
                patient_name=study.patient_name,
                instances=dict(study.instances),
            )
            for uid, study in self._studies.items()
        )
