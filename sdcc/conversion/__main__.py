"""The process that decodes: `python -m sdcc.conversion`.

Told by lines of JSON on its standard input, one object after the other: `path`, of the DICOM file;
`transfer_syntax`, the UID of the one that is wanted; `output`, the path of the file that it is to make;
`seconds`, after which it may be gone. It answers each with a line, `{}` or the `fault`, and ends when nobody
is left to tell it anything. What it cannot say in an answer, it says by its end.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import signal
import sys
import traceback
import warnings
from contextlib import suppress
from types import TracebackType
from typing import Any

from sdcc.conversion.conversion import convert
from sdcc.conversion.faults import CannotEncode

#: Others have the processor first: those who receive.
NICENESS = 5
#: What it makes is for nobody but the server's user and group to read.
UMASK = 0o027
#: Where Linux is told whom to end where memory runs out, and what: this process before all else, as the
#: server would be the greater loss.
OOM_SCORE, FIRST_TO_GO = "/proc/self/oom_score_adj", "1000"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", type=int, required=True, help="bytes that may be allocated")
    limit(parser.parse_args().memory)
    sys.excepthook = say_where
    warnings.simplefilter("ignore")
    logging.disable()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def limit(memory: int) -> None:
    os.nice(NICENESS)
    os.umask(UMASK)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError), open(OOM_SCORE, "w") as score:
        score.write(FIRST_TO_GO)


def say_where(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """A traceback that ends without the error's own words: it goes to the log, and they may hold a value of
    the Data Set."""
    traceback.print_tb(where)
    print(kind.__name__, file=sys.stderr)


def answer(job: dict[str, Any]) -> dict[str, str]:
    """Make the file, or nothing."""
    signal.alarm(job["seconds"])  # which ends the process, whatever a decoder is at
    try:
        with open(job["path"], "rb") as stored, open(job["output"], "xb") as output:
            convert(stored, job["transfer_syntax"], output)
    except CannotEncode as fault:
        return {"fault": str(fault)}
    except MemoryError:
        return {"fault": "it would take too much memory"}
    except OSError as error:
        return {"fault": error.strerror or str(error)}
    finally:
        signal.alarm(0)
    return {}


if __name__ == "__main__":
    main()
