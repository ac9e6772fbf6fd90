"""What a retrieval has sent, by study."""

from __future__ import annotations

from sdcc.interfaces import StudyTransfer
from sdcc.services.query_retrieve.transfers import Transfers

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


def test_instances_are_counted_by_study_and_class():
    transfers = Transfers()
    for study, sop_class in [("1.1", CT), ("1.2", CT), ("1.1", CT), ("1.1", MR)]:
        transfers.add(study, f"P{study}", None, sop_class)
    assert transfers.studies() == (
        StudyTransfer(
            study_instance_uid="1.1", patient_id="P1.1", patient_name=None, instances={CT: 2, MR: 1}
        ),
        StudyTransfer(study_instance_uid="1.2", patient_id="P1.2", patient_name=None, instances={CT: 1}),
    )


def test_studies_beyond_the_limit_are_one_of_nobody():
    """Those that are known already are told apart all the same."""
    transfers = Transfers(most_studies=1)
    for study in ("1.1", "1.2", "1.3", "1.1"):
        transfers.add(study, "P1", "Doe", CT)
    first, others = transfers.studies()
    assert (first.study_instance_uid, first.instances) == ("1.1", {CT: 2})
    assert others == StudyTransfer(
        study_instance_uid="", patient_id=None, patient_name=None, instances={CT: 2}
    )
