"""What is stored, encoded anew."""

from __future__ import annotations

from zope.interface import Interface

from sdcc.interfaces.archive import IScratchFile


class CannotConvert(Exception):
    """An object cannot be given in another Transfer Syntax. The text is for the Error Comment and the log: no
    patient data in it."""


class IConverter(Interface):
    """Encodes what is stored in other Transfer Syntaxes, where it can harm nobody."""

    async def convert(path: str, transfer_syntax_uid: str) -> IScratchFile:
        """The Data Set of a stored object, encoded anew.

        :param path: of the object's DICOM file; absolute.
        :param transfer_syntax_uid: an uncompressed one.
        :raises CannotConvert: see there.
        """
