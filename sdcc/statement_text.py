"""The words of the conformance statement; `sdcc.statement` fills in what the configuration decides.

Sections are those of the published statement of 2019/02/28; 2.3.3 to 2.3.6 follow its pattern. What
stands here is what this version does, and nothing that it does not do yet.
"""

from __future__ import annotations

from string import Template

from sdcc import statement_retrieval_text

TEMPLATE = Template(
    r"""===================================
DICOM Conformance Statement of SDCC
===================================

:Product: SonicDICOM Cloud Connector (SDCC)
:Version: $version

SDCC wrote this statement from the tables that it negotiates by and from one configuration. It
follows the published statement of 2019/02/28 section by section; section 7 says how SDCC reads
that one where it is unclear or in error. References such as PS3.8 are to the parts of the DICOM
standard.

1. Implementation Model
=======================

1.1 Flow of Application Data
----------------------------

A remote AE opens an association to a local AE of SDCC and verifies the connection, or transfers
objects. Each object is written to a file on a disk of SDCC's host and registered in its index, and
only then is the transfer answered with Success.

1.2 AE Function Definitions
---------------------------

- Verification, as SCP.
- Storage, as SCP; as SCU for the sub-operations of C-MOVE and C-GET.
- Query/Retrieve (C-FIND, C-MOVE and C-GET), as SCP.
- Storage Commitment Push Model, as SCP.

1.3 Sequencing Control of Real-World Activities
-----------------------------------------------

None. Every activity may happen at any time, in any order.

2. AE Specification
===================

Each local AE provides Standard Conformance to the following SOP Classes. Their Transfer Syntaxes
are those of 2.3.1.2 and 2.3.2.2.1, and for Query/Retrieve and Storage Commitment Implicit and Explicit VR
Little Endian.

$sop_classes

2.1 Association Establishment Policies
--------------------------------------

2.1.1 Overview
~~~~~~~~~~~~~~

$application_contexts

SDCC announces that it takes P-DATA-TF of at most $maximum_pdu_length bytes. It sends none that is
longer than the peer announced.

2.1.2 Number of Associations
~~~~~~~~~~~~~~~~~~~~~~~~~~~~

$association_limits

2.1.3 Asynchronicity
~~~~~~~~~~~~~~~~~~~~

Asynchronous operations are not supported. A proposed window is not answered, and operations that a
peer requests before the last one is answered are performed one after the other.

2.1.4 Implementation Identification Information
~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~

$implementation

2.2 Association Initiation Policies
-----------------------------------

The server opens associations to the remote AEs of 5.1 that have a port, and to no others. They are not
counted against the limits of 2.1.2.

2.2.1 Real-World Activities
~~~~~~~~~~~~~~~~~~~~~~~~~~~

- A C-MOVE request: to its Move Destination, with a Presentation Context as SCU for each SOP Class and
  Transfer Syntax of the objects to be sent, and one for each SOP Class with Explicit and Implicit VR
  Little Endian. The calling AE title is the AE title that the C-MOVE request called.
- A Storage Commitment result that the association of its request is no longer there for: to the AE that
  asked, with one Presentation Context, Storage Commitment Push Model as SCP. The calling AE title is
  the one that was asked.
- The administrator's ``sdccctl echo`` and ``sdccctl send``. The first proposes Verification with Implicit VR
  Little Endian. The second has a Presentation Context for each pair of SOP Class and Transfer Syntax that
  the files have, and another association for each 128 of them; the Data Sets are sent as they
  are. Both are SCU. Their calling AE title is $first_local.

2.3 Association Acceptance Policies
-----------------------------------

Associations are accepted for Verification, Image Reception, Query, Retrieval and Storage Commitment.

A calling AE title that is none of the remote AEs of 5.1 is
$unknown_callers.
A remote AE of 5.1 is accepted $known_callers.
Spaces around an AE title do not count; upper and lower case differ.

A request is rejected by the first of these conditions that applies. The codes are result, source
and reason of the A-ASSOCIATE-RJ (PS3.8 9.3.4).

==============================================================  =====  ==============================
Condition                                                       Codes  Reason
==============================================================  =====  ==============================
Bit 0 of the protocol version is not set.                       1/2/2  protocol-version-not-supported
The application context is neither of those of 2.1.1.           1/1/2  application-context-name-not-supported
The called AE title is no local AE title of the port.           1/1/7  called-AE-title-not-recognized
The calling AE title is not let in, or not from its address.    1/1/3  calling-AE-title-not-recognized
A limit of 2.1.2 is reached.                                    2/3/2  local-limit-exceeded
SDCC is stopping or draining.                                   2/3/1  temporary-congestion
Storage alone is proposed, and at present nothing can be kept.  2/3/1  temporary-congestion
==============================================================  =====  ==============================

Any other request is accepted, with one of these results for each Presentation Context, even where
none of them is 0:

======  ===============================  =======================================================
Result  Meaning                          When
======  ===============================  =======================================================
0       acceptance                       A Transfer Syntax of the context suits the SOP Class;
                                         the first of them, in the requestor's order, is taken,
                                         but for C-GET: see below.
3       abstract-syntax-not-supported    The Abstract Syntax is none of section 2.
4       transfer-syntaxes-not-supported  No Transfer Syntax of the context suits the SOP Class.
======  ===============================  =======================================================

Where the requestor is to be the SCP of a storage class, and none of the class's contexts would have an
uncompressed Transfer Syntax, the last context that proposes one gets it: what is stored in any other can be
converted to it.

SCP/SCU Role Selection is answered with SDCC as SCP, and as SCU too for the storage classes where the
requestor proposes to be their SCP and may retrieve. SOP Class Extended Negotiation is answered for
Query/Retrieve, as 2.3.3.2 says; User Identity is not.

A calling AE that is no remote AE of 5.1 may use all services where it calls from SDCC's own host, and
Verification and Storage where it is let in from elsewhere.

2.3.1 Real-World Activity: Verification
~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~

2.3.1.1 Related Real-World Activities
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

A remote system verifies the connection with C-ECHO, and SDCC answers.

2.3.1.2 Accepted Presentation Contexts
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

$verification_contexts

2.3.1.2.1 SOP Specific Conformance (Verification Class)
'''''''''''''''''''''''''''''''''''''''''''''''''''''''

Standard Conformance. The status of the response is 0000, Success; 0122, SOP Class Not Supported,
where the command's SOP Class is not its Presentation Context's; or 0124, Not Authorized, where the
calling AE may not use Verification (see 5.1).

2.3.2 Real-World Activity: Image Reception
~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~

2.3.2.1 Related Real-World Activities
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

A remote system transfers objects with C-STORE. SDCC saves each on its disk, registers it in its
index and answers.

2.3.2.2 Accepted Presentation Contexts
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

$storage_contexts

2.3.2.2.1 Transfer Syntax
'''''''''''''''''''''''''

Each of these Transfer Syntaxes is accepted with each of the Abstract Syntaxes of 2.3.2.2:

$storage_transfer_syntaxes

2.3.2.2.2 SOP Specific Conformance (Storage Class)
''''''''''''''''''''''''''''''''''''''''''''''''''

Standard Conformance as SCP, Level 2 (Full) of PS3.4 B.4.1. No data element is coerced, rounded,
omitted or reordered: the Data Set is kept as the very bytes that were received, in the Transfer
Syntax that they came in, whatever they hold. Their SHA-256 is taken on reception and kept in the
index.

- Success is answered when the file, its directory entries and its registration have been forced to
  stable storage, and not before.
- The file has the format of PS3.10. Its meta information names the calling AE as Source and Sending
  Application Entity, and the called AE as Receiving Application Entity.
- An object with the SOP Instance UID of one that is registered already takes its place in one step:
  who reads sees the old object or the new one, whole. The new one may belong to another Study or
  Series.
- A Data Set may be $maximum_object_size long at most.
- $minimum_free
- An object may wait $index_timeout s at most to be registered.
- Attributes that cannot be read or decoded do not fail a C-STORE, but for the UIDs that C000 is
  about.

The C-STORE response has one of these statuses:

======  =================================  ==========================================================
Status  Name                               Meaning
======  =================================  ==========================================================
0000    Success                            The object is durable and registered.
0110    Processing Failure                 A fault of SDCC itself, which its log describes.
0117    Invalid SOP Instance               The command's SOP Instance UID is malformed.
0122    SOP Class Not Supported            The command's SOP Class is not its Presentation Context's.
0124    Not Authorized                     The calling AE may not use Storage; see 5.1.
A700    Out of Resources                   The disk is full, below its free-space floor or failing;
                                           the index cannot be reached in time; or the Data Set is
                                           longer than allowed.
A900    Data Set Does Not Match SOP Class  The SOP Class or SOP Instance UID of the Data Set differs
                                           from the command's.
C000    Cannot Understand                  The Data Set cannot be parsed as far as its UIDs, or lacks
                                           its SOP Class, SOP Instance, Series or Study Instance UID.
======  =================================  ==========================================================

With a failure, Error Comment (0000,0902) says why in at most 64 characters, and the association
remains open.

"""
    + statement_retrieval_text.TEXT
    + r"""2.3.6 Other Answers and Time Limits
~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~

A request of a DIMSE service that SDCC does not provide is answered 0211, Unrecognized Operation.

A PDU that is unknown, malformed, too long or out of place is answered with A-ABORT, with the source
and reason of PS3.8 9.3.8. So is a message that PS3.7 does not allow. Other associations are not
affected.

$timers

3. Communication Profile
========================

3.1 Supported Communication Stack
---------------------------------

TCP/IP, as PS3.8 defines it for DICOM, and TLS over it as 3.3 has it.

3.2 TCP/IP Stack
----------------

That of the operating system, IPv4 and IPv6.

3.2.1 Physical Medium Support
~~~~~~~~~~~~~~~~~~~~~~~~~~~~~

What the operating system supports.

3.3 Security Profiles
---------------------

$security

4. Extensions / Specializations / Privatizations
================================================

$extensions

5. Configuration
================

5.1 AE Title / Presentation Address Mapping
-------------------------------------------

Local Application Entities:

$locals

Remote Application Entities:

$remotes

5.2 Configurable Parameters
---------------------------

- Local AE titles, their interfaces, TCP/IP ports and limits of associations.
- Remote AE titles, their IP addresses or host names, TCP/IP ports, limits of associations, and the
  services that they may use.
- Which ports and which remote AEs have TLS; the certificate, its private key and the authorities.
- Whether there is an audit trail, where its messages go, and its Audit Source ID.
- Whether unknown remote AEs are accepted, and whether the address of a known one is checked.
- The announced maximum length of P-DATA-TF, the limit of associations in all, and the times of
  2.3.6.
- The free-space floor, the longest object, additional Storage SOP Classes, the time that a
  registration may take, and the limit of answers to a query.

6. Support of Extended Character Sets
=====================================

Text is decoded for the index, by the Specific Character Set (0008,0005) of the object; the object
itself is not altered. Text that cannot be decoded is registered with replacement characters and
marked so.

$character_sets

7. Readings of the Published Statement
======================================

===============  =================================  =================================================
Section          Says                               Reading
===============  =================================  =================================================
2.1.1            Application context                A misprint of DICOM's own name. Either is
                 1.2.840.1008.3.1.1.1               accepted, and answered as it was proposed.
2.1.1            Maximum PDU size of 16 KB          16384 bytes is announced, unless configured
                                                    otherwise. P-DATA-TF to a peer is no longer than
                                                    that peer announced; its 0 means no limit.
2.1.2            One association at a time for      Counted for each local AE title, 1 unless
                 each provider                      configured otherwise. Associations that SDCC
                                                    itself opens are not counted. One too many is
                                                    rejected 2/3/2.
2.1.3            No asynchronous operations         An asynchronous operations window is read and
                                                    left unanswered: one operation at a time.
2.1.4            Implementation identification      Sent in A-ASSOCIATE-AC, and written into file
                                                    meta information.
2, 2.3.2.2       Two differing lists of storage     Their union, which is the list of 2.3.2.2: thirty
                 classes                            classes.
2.3.2.2          Transfer Syntax "\*3.1.3.2.2.1"    A reference to 2.3.2.2.1: each storage class
                                                    takes each of the nine Transfer Syntaxes there.
2.3.1.2          Verification with Implicit VR      With no other. A context that proposes only
                 Little Endian                      others gets result 4.
2.3.2.2.1        Nothing of several Transfer        The first that SDCC supports, in the requestor's
                 Syntaxes in one context            order; uncompressed where C-GET needs it.
2.3, 2.1.2, 5.1  Retrieval, sub-operations,         Query/Retrieve (C-FIND, C-MOVE and C-GET) as SCP.
                 address mapping                    Sub-operations go to the remote AEs of 5.1.
2.3.2.2.2        No data element is rounded or      The Data Set is kept byte for byte as it was
                 omitted                            received.
2.3.2.2.2        An object of the same UID is       The newest object of a SOP Instance UID is the
                 overwritten                        object, also where its Study or Series UID has
                                                    changed. The switch is atomic.
5.2              Configurable parameters            AE titles, addresses and ports are those of the
                                                    local and remote Application Entities of 5.1.
6                Terms with underscores             The Defined Terms of PS3.3 C.12.1.1.2. Between
                                                    their parts "_", "-" and " " are understood
                                                    alike.
6                ISO_IR_6, ISO_IR_87                No Defined Terms: read as the default repertoire,
                                                    and as ISO 2022 IR 87 alone.
6                Thirty character sets              All are decoded to Unicode in the index, with the
                                                    escape sequences and resets of PS3.5 6.1.2.5.3.
===============  =================================  =================================================
"""
)
