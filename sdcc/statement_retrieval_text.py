"""The conformance statement's words on Query/Retrieve and Storage Commitment: sections 2.3.3 to 2.3.5.

Part of :mod:`sdcc.statement_text`'s template, in a file of its own for its length alone.
"""

from __future__ import annotations

TEXT = r"""2.3.3 Real-World Activity: Query
~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~

2.3.3.1 Related Real-World Activities
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

A remote system asks with C-FIND which patients, studies, series and objects are registered.

2.3.3.2 Accepted Presentation Contexts
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

$query_contexts

SOP Class Extended Negotiation (PS3.4 C.5.1.1) is answered for them: relational queries and combined
date-time matching are agreed to where they are proposed; fuzzy semantic matching of person names and
timezone query adjustment are not.

2.3.3.2.1 SOP Specific Conformance (Query)
''''''''''''''''''''''''''''''''''''''''''

Standard Conformance. Unless relational queries were agreed to, the unique keys of the levels above the
query's must each have a single value. These attributes are matching keys and return keys of their level;
any other is returned without a value, and the response's status says so.

$query_keys

- Single Value, List of UID, Universal, Wild Card, Range and Sequence Matching are those of PS3.4 C.2.2.2.
  Text is compared as Unicode, whatever the character sets of the query and of the object.
- Of a sequence the items that match are returned, with the attributes that were asked for; where none were,
  all items, with those of the table.
- Person names match without regard to upper and lower case, component group by component group; a key of
  one group may match any group of the name. All else is case-sensitive.
- An attribute without a value is matched by Universal Matching alone.
- Retrieve AE Title (0008,0054) is the called AE title, and Instance Availability (0008,0056) is ONLINE.
- A response's Specific Character Set (0008,0005) is the query's where that can hold its text, else
  ISO_IR 192.
- $maximum_answers

The C-FIND response has one of these statuses:

======  ==============================  =============================================================
Status  Name                            Meaning
======  ==============================  =============================================================
FF00    Pending                         A match is in the Identifier.
FF01    Pending                         The same; an optional key is not supported.
0000    Success                         There are no more matches.
FE00    Cancel                          Ended by a C-CANCEL request.
0110    Processing Failure              A fault of SDCC itself, which its log describes.
0122    SOP Class Not Supported         The command's SOP Class is not its Presentation Context's.
0124    Not Authorized                  The calling AE may not query; see 5.1.
A700    Out of Resources                The index cannot answer now, or there are more matches than
                                        the limit.
A900    Identifier Does Not Match       The level is none of the SOP Class; a unique key that is
        SOP Class                       needed is absent; a value is none of its attribute; or a
                                        sequence has more than one item.
C000    Unable to Process               The Identifier is absent, too long or cannot be parsed.
======  ==============================  =============================================================

2.3.4 Real-World Activity: Retrieval
~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~

2.3.4.1 Related Real-World Activities
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

A remote system has objects sent to itself with C-GET, or to a remote AE of 5.1 with C-MOVE.

2.3.4.2 Accepted Presentation Contexts
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

$retrieval_contexts

For C-GET the requestor proposes the storage classes of 2.3.2.2 with itself as SCP, by SCP/SCU Role
Selection (PS3.7 D.3.3.4). For C-MOVE SDCC opens an association as in 2.2.

2.3.4.2.1 SOP Specific Conformance (Retrieval)
''''''''''''''''''''''''''''''''''''''''''''''

Standard Conformance. The Identifier's keys are the unique keys of its level and of those above; relational
retrieval is agreed to where it is proposed.

- An object is sent as the very bytes that were received where its Transfer Syntax is accepted for its SOP
  Class.
- Else it is sent in Explicit or Implicit VR Little Endian: re-encoded, and its pixel data decoded where
  they are compressed in one of the six compressed Transfer Syntaxes of 2.3.2.2.1.
- What cannot be sent counts as a failed sub-operation.

The last C-MOVE or C-GET response has one of these statuses; those before it are FF00, with the numbers of
sub-operations that remain, are completed, have failed, and were answered with a warning:

======  ==============================  =============================================================
Status  Name                            Meaning
======  ==============================  =============================================================
0000    Success                         All objects were sent, or none matches.
B000    Warning                         Some sub-operations failed; Failed SOP Instance UID List
                                        (0008,0058) names their objects.
FE00    Cancel                          Ended by a C-CANCEL request.
0110    Processing Failure              A fault of SDCC itself, which its log describes.
0122    SOP Class Not Supported         The command's SOP Class is not its Presentation Context's.
0124    Not Authorized                  The calling AE may not retrieve; see 5.1.
A701    Out of Resources                The index cannot answer now.
A702    Out of Resources                No sub-operation succeeded.
A801    Move Destination Unknown        The Move Destination is no remote AE of 5.1 with a port.
A900    Identifier Does Not Match       The level is none of the SOP Class, or a unique key that is
        SOP Class                       needed is absent.
C000    Unable to Process               The Identifier is absent, too long or cannot be parsed.
======  ==============================  =============================================================

2.3.5 Real-World Activity: Storage Commitment
~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~

2.3.5.1 Related Real-World Activities
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

A remote system asks with N-ACTION whether SDCC is responsible for objects that it has sent, so that it may
remove its own.

2.3.5.2 Accepted Presentation Contexts
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

$commitment_contexts

2.3.5.2.1 SOP Specific Conformance (Storage Commitment)
'''''''''''''''''''''''''''''''''''''''''''''''''''''''

Standard Conformance. An object is committed to when it is registered, its file is there, and the SHA-256 of
its Data Set is that which was taken on reception. Objects are kept until an administrator removes them, or
one of the same SOP Instance UID takes their place.

The N-ACTION response has one of these statuses:

======  ==============================  =============================================================
Status  Name                            Meaning
======  ==============================  =============================================================
0000    Success                         The request is durable, and will be reported on: a restart of
                                        SDCC does not lose it.
0110    Processing Failure              The Data Set cannot be parsed, or a fault of SDCC itself,
                                        which its log describes.
0112    No Such SOP Instance            The command's SOP Instance is not the well-known one.
0115    Invalid Argument Value          The Transaction UID is that of another request under way; or it,
                                        the sequence or a UID in it is absent, empty or wrong.
0118    No Such SOP Class               The command's SOP Class is not its Presentation Context's.
0123    No Such Action Type             The Action Type is not 1.
0124    Not Authorized                  The calling AE may not ask for commitment; see 5.1.
0213    Resource Limitation             The request is too large, too much is owed already, or it
                                        cannot be written down.
======  ==============================  =============================================================

The result is reported with N-EVENT-REPORT, over the same association while that is open, else over one that
SDCC opens as in 2.2, and again for three days until it is answered. Its Event Type is 1 where all objects
are committed to, and 2 where some are not; the Failure Reason (0008,1197) of these is:

======  ==============================  =============================================================
Reason  Name                            Meaning
======  ==============================  =============================================================
0110    Processing failure              The object's file is missing or is not what was received.
0112    No such object instance         The object is not registered.
0119    Class / Instance conflict       The object is registered with another SOP Class.
0213    Resource limitation             It cannot be found out now.
======  ==============================  =============================================================

"""
