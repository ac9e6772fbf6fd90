"""Which requests are performed, by whom, and how the others are refused."""

from __future__ import annotations

import dataclasses

import pytest
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sdcc import conformance
from sdcc.dimse import command, messages
from sdcc.dimse.command import CommandField
from sdcc.dimse.messages import (
    ActionRequest,
    EchoRequest,
    EventReportRequest,
    FindRequest,
    GetRequest,
    MoveRequest,
    OtherRequest,
    Response,
    StoreRequest,
)
from sdcc.dimse.status import Status
from sdcc.interfaces import (
    CannotUnderstand,
    DataSetMismatch,
    IOperation,
    IServiceProvider,
    Outcome,
    OutcomeUnknown,
    OutOfResources,
    SubOperations,
)
from sdcc.services.operation import Decided
from sdcc.services.registry import Registry
from sdcc.services.storage import StorageProvider
from sdcc.services.verification import VerificationProvider
from sdcc.uid import is_uid
from sdcc.upper_layer.negotiation import PresentationContext

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
VERIFICATION = "1.2.840.10008.1.1"
INSTANCE = "1.2.826.0.1.3680043.9.1"
#: What no comment may repeat, wherever a peer puts it.
NAME = "DOE^JANE"

CT_CONTEXT = PresentationContext(
    id=1, abstract_syntax=CT, transfer_syntax=conformance.EXPLICIT_VR_LITTLE_ENDIAN
)
ECHO_CONTEXT = PresentationContext(
    id=3, abstract_syntax=VERIFICATION, transfer_syntax=conformance.IMPLICIT_VR_LITTLE_ENDIAN
)
STORE = StoreRequest(message_id=7, affected_sop_class_uid=CT, affected_sop_instance_uid=INSTANCE)
ECHO = EchoRequest(message_id=8, affected_sop_class_uid=VERIFICATION)
FIND = FindRequest(message_id=9, affected_sop_class_uid=conformance.STUDY_ROOT_FIND)
GET = GetRequest(message_id=10, affected_sop_class_uid=conformance.STUDY_ROOT_GET)
MOVE = MoveRequest(message_id=11, affected_sop_class_uid=conformance.STUDY_ROOT_MOVE, move_destination="WS01")
ACTION = ActionRequest(
    message_id=12,
    affected_sop_class_uid=conformance.STORAGE_COMMITMENT,
    affected_sop_instance_uid=conformance.STORAGE_COMMITMENT_INSTANCE,
    action_type_id=1,
)


def context_of(request):
    return PresentationContext(
        id=5, abstract_syntax=request.affected_sop_class_uid, transfer_syntax="1.2.840.10008.1.2"
    )


@implementer(IServiceProvider)
class Provider:
    """Performs its requests by succeeding."""

    def __init__(self, service, *command_fields):
        self.service = service
        self.command_fields = frozenset(command_fields)

    def begin(self, request, transfer_syntax_uid, session):
        return Decided(Status.SUCCESS, on_written=session.on_written)


OTHERS = (
    Provider("query", CommandField.C_FIND_RQ),
    Provider("retrieve", CommandField.C_GET_RQ, CommandField.C_MOVE_RQ),
    Provider("commitment", CommandField.N_ACTION_RQ),
)


@pytest.fixture
def registry(objects, index):
    return Registry(
        conformance.sop_classes(), [StorageProvider(objects, index, Clock()), VerificationProvider(), *OTHERS]
    )


@pytest.fixture
def answer(registry, session, result_of):
    """What the wire carries in answer to a request, Data Set and all."""

    def perform(request, context, services=frozenset(conformance.SERVICES)):
        allowed = dataclasses.replace(session, services=services)
        operation = registry.begin(request, context, allowed)
        assert verifyObject(IOperation, operation)
        if request.has_data_set:
            operation.write(memoryview(b"12345678"))
        outcome = result_of(operation.complete())
        assert len(outcome.comment) <= 64
        encoded = registry.response(request, outcome).encode()
        assert NAME.encode() not in encoded
        return messages.parse(command.decode(encoded))

    return perform


def test_success_repeats_the_request(answer):
    assert answer(STORE, CT_CONTEXT) == Response(
        command_field=CommandField.C_STORE_RSP,
        message_id_being_responded_to=7,
        status=Status.SUCCESS,
        affected_sop_class_uid=CT,
        affected_sop_instance_uid=INSTANCE,
    )
    assert answer(ECHO, ECHO_CONTEXT) == Response(
        command_field=CommandField.C_ECHO_RSP,
        message_id_being_responded_to=8,
        status=Status.SUCCESS,
        affected_sop_class_uid=VERIFICATION,
    )


@pytest.mark.parametrize("request_", [FIND, GET, MOVE], ids=["C-FIND", "C-GET", "C-MOVE"])
def test_queries_and_retrievals_repeat_their_class_alone(request_, answer):
    """They have no instance, and a C-MOVE-RSP no Move Destination."""
    assert answer(request_, context_of(request_)) == Response(
        command_field=request_.command_field | 0x8000,
        message_id_being_responded_to=request_.message_id,
        status=Status.SUCCESS,
        affected_sop_class_uid=request_.affected_sop_class_uid,
    )


def test_an_n_action_is_answered_with_its_requested_uids_as_affected_ones(answer):
    """PS3.7 10.3.5.2, and 10.1.4.1.4: its Action Type ID where it succeeded."""
    assert answer(ACTION, context_of(ACTION)) == Response(
        command_field=CommandField.N_ACTION_RSP,
        message_id_being_responded_to=12,
        status=Status.SUCCESS,
        affected_sop_class_uid=conformance.STORAGE_COMMITMENT,
        affected_sop_instance_uid=conformance.STORAGE_COMMITMENT_INSTANCE,
        action_type_id=1,
    )


@pytest.mark.parametrize(
    ("status", "carried"), [(0x0000, 1), (0x0123, 1), (0x0110, None), (0x0112, None), (0x0124, None)]
)
def test_an_action_type_is_repeated_where_it_was_performed_or_is_what_is_wrong(status, carried, registry):
    assert registry.response(ACTION, Outcome(status=status)).action_type_id == carried


def test_nothing_but_an_n_action_has_an_action_type(registry):
    for request in (STORE, ECHO, FIND, GET, MOVE):
        encoded = registry.response(request, Outcome(status=0)).encode()
        assert command.Tag.ACTION_TYPE_ID not in command.decode(encoded)


@pytest.mark.parametrize("remaining", [None, 0, 4])
def test_the_counters_of_sub_operations_are_carried_as_they_are_given(remaining, registry):
    counters = SubOperations(remaining=remaining, completed=3, failed=2, warning=1)
    response = registry.response(MOVE, Outcome(status=0xFF00, sub_operations=counters))
    carried = messages.parse(command.decode(response.encode()))
    assert carried.remaining_sub_operations == remaining
    assert carried.completed_sub_operations == 3
    assert carried.failed_sub_operations == 2
    assert carried.warning_sub_operations == 1


def test_what_has_no_counters_carries_none(registry):
    response = registry.response(FIND, Outcome(status=0xFF00))
    assert response.completed_sub_operations is response.failed_sub_operations is None
    assert response.warning_sub_operations is response.remaining_sub_operations is None


def test_more_sub_operations_than_a_counter_can_say_are_said_as_the_most(registry):
    counters = SubOperations(remaining=70_000, completed=65_536, failed=65_535, warning=1_000_000)
    response = registry.response(GET, Outcome(status=0xFF00, sub_operations=counters))
    assert response.remaining_sub_operations == response.completed_sub_operations == 65_535
    assert response.failed_sub_operations == response.warning_sub_operations == 65_535
    response.encode()


@pytest.mark.parametrize("data_set", [None, b"", b"\x08\0"])
def test_a_response_announces_its_data_set(data_set, registry):
    response = registry.response(FIND, Outcome(status=0xFF00, data_set=data_set))
    assert response.has_data_set is (data_set is not None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A request that is refused."""

    name: str
    request: object
    status: int
    context: PresentationContext = CT_CONTEXT
    services: frozenset[str] = frozenset(conformance.SERVICES)
    #: None: some comment.
    comment: str | None = None


def store(**changes):
    return dataclasses.replace(STORE, **changes)


#: The rules one by one, and of several that apply the first.
REFUSED = [
    Row(name="C-FIND", request=FIND, status=0x0211, comment="C-FIND-RQ is not performed on this context"),
    Row(
        name="the longest name",
        request=EventReportRequest(
            message_id=1,
            affected_sop_class_uid=conformance.STORAGE_COMMITMENT,
            affected_sop_instance_uid=conformance.STORAGE_COMMITMENT_INSTANCE,
            event_type_id=1,
        ),
        context=context_of(ACTION),
        status=0x0211,
        comment="N-EVENT-REPORT-RQ is not performed on this context",
    ),
    Row(
        name="C-GET on a context of C-MOVE",
        request=dataclasses.replace(GET, affected_sop_class_uid=conformance.STUDY_ROOT_MOVE),
        context=context_of(MOVE),
        status=0x0211,
        comment="C-GET-RQ is not performed on this context",
    ),
    Row(
        name="C-MOVE on a context of C-GET",
        request=dataclasses.replace(MOVE, affected_sop_class_uid=conformance.STUDY_ROOT_GET),
        context=context_of(GET),
        status=0x0211,
        comment="C-MOVE-RQ is not performed on this context",
    ),
    Row(
        name="N-GET of Storage Commitment",
        request=OtherRequest(
            command_field=CommandField.N_GET_RQ,
            message_id=1,
            affected_sop_class_uid=conformance.STORAGE_COMMITMENT,
        ),
        context=context_of(ACTION),
        status=0x0211,
        comment="N-GET-RQ is not performed on this context",
    ),
    Row(
        name="a command that nobody knows",
        request=OtherRequest(command_field=0x1234, message_id=1, affected_sop_class_uid=NAME),
        status=0x0211,
        comment="Command Field 1234H is not performed on this context",
    ),
    Row(
        name="C-ECHO on a storage context",
        request=ECHO,
        status=0x0211,
        comment="C-ECHO-RQ is not performed on this context",
    ),
    Row(
        name="C-STORE on the verification context",
        request=STORE,
        context=ECHO_CONTEXT,
        status=0x0211,
        comment="C-STORE-RQ is not performed on this context",
    ),
    Row(
        name="not performed, another SOP Class and not authorized",
        request=dataclasses.replace(FIND, affected_sop_class_uid=MR),
        services=frozenset(),
        status=0x0211,
    ),
    Row(
        name="another SOP Class",
        request=store(affected_sop_class_uid=MR),
        status=0x0122,
        comment="Affected SOP Class UID is not the context's Abstract Syntax",
    ),
    Row(
        name="the other root's class of C-FIND",
        request=dataclasses.replace(FIND, affected_sop_class_uid=conformance.PATIENT_ROOT_FIND),
        context=context_of(FIND),
        status=0x0122,
        comment="Affected SOP Class UID is not the context's Abstract Syntax",
    ),
    Row(
        name="another class of N-ACTION",
        request=dataclasses.replace(ACTION, affected_sop_class_uid=CT),
        context=context_of(ACTION),
        status=0x0118,
        comment="Requested SOP Class UID is not the context's Abstract Syntax",
    ),
    Row(
        name="no SOP Class of N-ACTION",
        request=dataclasses.replace(ACTION, affected_sop_class_uid=""),
        context=context_of(ACTION),
        status=0x0118,
    ),
    Row(name="no SOP Class at all", request=store(affected_sop_class_uid=NAME), status=0x0122),
    Row(
        name="another class of C-ECHO",
        request=dataclasses.replace(ECHO, affected_sop_class_uid=CT),
        context=ECHO_CONTEXT,
        status=0x0122,
    ),
    Row(
        name="another SOP Class, not authorized and a malformed UID",
        request=store(affected_sop_class_uid=MR, affected_sop_instance_uid=NAME),
        services=frozenset(),
        status=0x0122,
    ),
    Row(
        name="no storage",
        request=STORE,
        services=frozenset({"verification"}),
        status=0x0124,
        comment="The calling AE may not use the service storage",
    ),
    Row(
        name="no verification",
        request=ECHO,
        context=ECHO_CONTEXT,
        services=frozenset({"storage"}),
        status=0x0124,
        comment="The calling AE may not use the service verification",
    ),
    *(
        Row(
            name=f"no {service}",
            request=request,
            context=context_of(request),
            services=frozenset(conformance.SERVICES) - {service},
            status=0x0124,
            comment=f"The calling AE may not use the service {service}",
        )
        for service, request in (
            *(("query", FIND), ("retrieve", GET), ("retrieve", MOVE)),
            ("commitment", ACTION),
        )
    ),
    Row(
        name="not authorized and a malformed UID",
        request=store(affected_sop_instance_uid=NAME),
        services=frozenset(),
        status=0x0124,
    ),
    Row(
        name="a malformed UID",
        request=store(affected_sop_instance_uid=NAME),
        status=0x0117,
        comment="Affected SOP Instance UID is no UID as PS3.5 9.1 has it",
    ),
    Row(
        name="a malformed UID of N-ACTION",
        request=dataclasses.replace(ACTION, affected_sop_instance_uid=NAME),
        context=context_of(ACTION),
        status=0x0117,
        comment="Requested SOP Instance UID is no UID as PS3.5 9.1 has it",
    ),
    Row(
        name="an empty UID and no Data Set",
        request=store(affected_sop_instance_uid="", has_data_set=False),
        status=0x0117,
    ),
    Row(
        name="no Data Set",
        request=store(has_data_set=False),
        status=0xC000,
        comment="C-STORE-RQ without a Data Set",
    ),
]


@pytest.mark.parametrize("row", REFUSED, ids=[row.name for row in REFUSED])
def test_refusals(row, answer, objects, written):
    """Each with the standard's code and the rule; the Data Set is swallowed, the archive untouched."""
    response = answer(row.request, row.context, row.services)
    assert response.status == row.status
    assert response.command_field == row.request.command_field | 0x8000
    assert response.message_id_being_responded_to == row.request.message_id
    assert response.error_comment
    assert row.comment in (None, response.error_comment)
    assert sum(written) == (8 if row.request.has_data_set else 0)
    assert objects.receptions == []


#: Name, what goes wrong, status: the design's table as far as archive and index decide it.
NOT_KEPT = [
    ("disk full", {"objects": OutOfResources("disk full")}, 0xA700),
    ("index unreachable", {"index": OutOfResources("index unreachable")}, 0xA700),
    ("in doubt", {"index": OutcomeUnknown("COMMIT was not answered", None)}, 0xA700),
    ("another Data Set", {"objects": DataSetMismatch("SOP Instance UID differs")}, 0xA900),
    ("not to be understood", {"objects": CannotUnderstand("no Study Instance UID")}, 0xC000),
    ("a fault of the program", {"index": RuntimeError(NAME)}, 0x0110),
]


@pytest.mark.parametrize(("name", "faults", "status"), NOT_KEPT, ids=[name for name, _, _ in NOT_KEPT])
def test_what_is_not_kept(name, faults, status, answer, request):
    for fixture, fault in faults.items():
        request.getfixturevalue(fixture).fault = fault
    response = answer(STORE, CT_CONTEXT)
    assert response.status == status
    assert response.error_comment
    assert response.affected_sop_instance_uid == INSTANCE


def test_every_sop_class_has_its_provider(answer):
    requests = {"verification": ECHO, "storage": STORE, "query": FIND, "commitment": ACTION}
    for uid, sop_class in conformance.sop_classes().items():
        retrieval = MOVE if uid.endswith(".2") else GET
        request = dataclasses.replace(requests.get(sop_class.service, retrieval), affected_sop_class_uid=uid)
        assert answer(request, context_of(request)).status == Status.SUCCESS


def test_the_provider_is_given_what_was_negotiated(session):
    @implementer(IServiceProvider)
    class Provider:
        service = "storage"
        command_fields = frozenset({CommandField.C_STORE_RQ})

        def begin(self, *arguments):
            return arguments

    sop_class = conformance.storage_class(CT, "CT Image Storage", "CT")
    registry = Registry({CT: sop_class}, [Provider()])
    assert registry.begin(STORE, CT_CONTEXT, session) == (STORE, CT_CONTEXT.transfer_syntax, session)


def test_a_service_without_a_provider_is_found_at_the_start():
    with pytest.raises(ValueError, match=r"no provider for storage$"):
        Registry(conformance.sop_classes(), [VerificationProvider(), *OTHERS])
    with pytest.raises(ValueError, match=r"no provider for commitment, query, retrieve, storage$"):
        Registry(conformance.sop_classes(), [VerificationProvider()])


def test_a_comment_from_elsewhere_is_made_fit(registry):
    response = registry.response(STORE, Outcome(status=0xA700, comment="\xe9" + "x" * 99))
    assert response.error_comment == "?" + "x" * 63


def test_the_offending_element_is_named(registry):
    response = registry.response(STORE, Outcome(status=0xA900, offending_element=(0x0020000D,)))
    assert response.offending_element == (0x0020000D,)


@pytest.mark.parametrize("field", ["affected_sop_class_uid", "affected_sop_instance_uid"])
@pytest.mark.parametrize("text", ["", NAME, "1" * 65, "1..2"])
def test_a_malformed_uid_is_not_repeated(field, text, registry):
    """What is not one of UI must not go out as UI."""
    response = registry.response(dataclasses.replace(STORE, **{field: text}), Outcome(status=0x0117))
    assert getattr(response, field) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2.840.10008.1.1", True),
        ("1", True),
        ("1" * 64, True),
        ("1.02.003", True),  # against the standard, and many devices' habit
        ("1" * 65, False),
        ("", False),
        (".1", False),
        ("1.", False),
        ("1..2", False),
        ("1.2 ", False),
        (" 1.2", False),
        ("1.2\n", False),
        ("1.2a", False),
        ("1.-2", False),
        ("../1", False),
        ("1.\u0662", False),  # a digit, but no digit of ISO 646
        ("1.\xb2", False),
    ],
)
def test_what_a_uid_is(text, expected):
    assert is_uid(text) is expected
