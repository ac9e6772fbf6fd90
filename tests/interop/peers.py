"""pynetdicom as a requestor that answers the same every time."""

from __future__ import annotations

import socket
from io import BytesIO

import pynetdicom
from pynetdicom.dimse_primitives import C_STORE


def _send_at_once(event):
    """A message goes out in several pieces: none is to wait for the acknowledgement of the last."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _leave_responses_alone(event):
    """The association's own thread, which an SCU has no need of, now and then takes a response away from
    whoever waits for it (pynetdicom's issues 435 and 875): it shall not run."""
    event.assoc.start = lambda: None
    event.assoc._is_paused = True


HABITS = [
    (pynetdicom.evt.EVT_CONN_OPEN, _send_at_once),
    (pynetdicom.evt.EVT_ESTABLISHED, _leave_responses_alone),
]


def requested(address, contexts, *, calling="PYNETDICOM", called="SDCC", negotiation=()):
    """An association, established or not.

    :param contexts: (Abstract Syntax, [Transfer Syntax …]) each.
    """
    requestor = pynetdicom.AE(ae_title=calling)
    requestor.requested_contexts = [
        pynetdicom.presentation.build_context(abstract, list(syntaxes)) for abstract, syntaxes in contexts
    ]
    return requestor.associate(*address, ae_title=called, ext_neg=list(negotiation), evt_handlers=HABITS)


def store(association, data, *, sop_class, sop_instance, context_class=None, transfer_syntax=None):
    """The response to a C-STORE of exactly these bytes.

    :param context_class: the context's Abstract Syntax; None: the SOP Class.
    :param transfer_syntax: the context's; None: any.
    """
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = sop_class
    request.AffectedSOPInstanceUID = sop_instance
    request.Priority = 0
    request.DataSet = BytesIO(data)
    context_id = next(
        context.context_id
        for context in association.accepted_contexts
        if context.abstract_syntax == (context_class or sop_class)
        and transfer_syntax in (None, context.transfer_syntax[0])
    )
    association.dimse.send_msg(request, context_id)
    _, response = association.dimse.get_msg(block=True)
    assert isinstance(response, C_STORE), "no response"
    assert response.MessageIDBeingRespondedTo == 1
    return response
