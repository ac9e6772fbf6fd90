"""The contracts between the layers, and the values that cross them.

Services know these and never the archive or the index behind them; `sdcc.world` and `sdcc.parts` alone
choose the implementations. Nothing here performs I/O or knows Twisted's reactor.
"""

from sdcc.interfaces.administration import CannotDo, Facts, IAdministration
from sdcc.interfaces.archive import IObjectStore, IReception, IScratchFile
from sdcc.interfaces.associations import AssociationLost, ICaller, IOwnAssociation, IRequests
from sdcc.interfaces.commitments import CommitmentRequest, ICommitmentJournal, Reference
from sdcc.interfaces.conversion import CannotConvert, IConverter
from sdcc.interfaces.index import IIndex, IndexFigures, LooseRow
from sdcc.interfaces.not_stored import (
    CannotUnderstand,
    DataSetMismatch,
    NotStored,
    OutcomeUnknown,
    OutOfResources,
    Unstorable,
)
from sdcc.interfaces.objects import (
    Announcement,
    Instance,
    Kept,
    Provenance,
    Registered,
    Series,
    StoredFile,
    StoredObject,
    Study,
)
from sdcc.interfaces.observation import (
    AssociationFacts,
    Durations,
    Ending,
    IAssociationWatch,
    IObserver,
    OperationFacts,
    RefusalFacts,
    StudyTransfer,
)
from sdcc.interfaces.services import (
    IConversation,
    IOperation,
    IServiceProvider,
    Outcome,
    Session,
    SubOperations,
)
from sdcc.interfaces.study_states import IStudyStates, Notice, StableStudy
from sdcc.interfaces.threads import RunInThread

__all__ = [
    "Announcement",
    "AssociationFacts",
    "AssociationLost",
    "CannotConvert",
    "CannotDo",
    "CannotUnderstand",
    "CommitmentRequest",
    "DataSetMismatch",
    "Durations",
    "Ending",
    "Facts",
    "IAdministration",
    "IAssociationWatch",
    "ICaller",
    "ICommitmentJournal",
    "IConversation",
    "IConverter",
    "IIndex",
    "IObjectStore",
    "IObserver",
    "IOperation",
    "IOwnAssociation",
    "IReception",
    "IRequests",
    "IScratchFile",
    "IServiceProvider",
    "IStudyStates",
    "IndexFigures",
    "Instance",
    "Kept",
    "LooseRow",
    "NotStored",
    "Notice",
    "OperationFacts",
    "OutOfResources",
    "Outcome",
    "OutcomeUnknown",
    "Provenance",
    "Reference",
    "RefusalFacts",
    "Registered",
    "RunInThread",
    "Series",
    "Session",
    "StableStudy",
    "StoredFile",
    "StoredObject",
    "Study",
    "StudyTransfer",
    "SubOperations",
    "Unstorable",
]
