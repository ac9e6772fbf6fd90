"""Patients' names in the character sets of the world, from storescu to `sdccctl instances`."""

from __future__ import annotations

import pydicom
import pytest

from .objects import SHIPPED
from .server import run

ON_EVERY_INDEX = True

#: A file that pydicom brings, and the name that PS3.5 Annexes H to K, or who made it, meant.
NAMES = {
    "chrH31": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "chrH32": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "chrI2": "Hong^Gildong=洪^吉洞=홍^길동",
    "chrKoreanMulti": "김희중",
    "chrGreek": "Διονυσιος",
    "chrRuss": "Люкceмбypг",  # noqa: RUF001  # some of its letters are Latin ones
    "chrArab": "قباني^لنزار",
    "chrHbrw": "שרון^דבורה",
    "chrFren": "Buc^Jérôme",
    "chrGerm": "Äneas^Rüdiger",
    "chrX1": "Wang^XiaoDong=王^小東",
    "chrX2": "Wang^XiaoDong=王^小东",
}


@pytest.fixture(scope="module")
def rows(server, dcmtk):
    """What is registered when all of them have been sent, by SOP Instance UID."""
    files = [SHIPPED / "charset_files" / f"{name}.dcm" for name in NAMES]
    done = run(dcmtk("storescu"), "-aec", "SDCC", "127.0.0.1", server.port, *files)
    assert done.returncode == 0, done.stderr
    return server.instances()


@pytest.mark.parametrize("name", NAMES)
def test_the_name_registered_is_the_name_meant(rows, name):
    uid = pydicom.dcmread(SHIPPED / "charset_files" / f"{name}.dcm").SOPInstanceUID
    assert rows[uid]["patient_name"] == NAMES[name]
    assert rows[uid]["fault"] is None
