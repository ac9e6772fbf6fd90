"""The fakes that the services are tested with keep the contracts."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from sdcc.interfaces import IConversation, IIndex, IObjectStore, IReception


def test_the_fakes_provide_their_interfaces(objects, index, session):
    assert verifyObject(IConversation, session.conversation)
    assert verifyObject(IObjectStore, objects)
    assert verifyObject(IIndex, index)
    assert verifyObject(IReception, objects.begin(None, None))
