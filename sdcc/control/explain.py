"""`sdccctl explain`: how the server would answer an association, and by which rule.

The answer is that of a server which has no association open and can store; with --live that of the one which
runs, as it is now.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from sdcc.administration import tables
from sdcc.administration.explanation import ACCEPTED, Question, explain
from sdcc.config import Configuration
from sdcc.control import arguments, live
from sdcc.control.arguments import Commands
from sdcc.control.synchronous import at_once, result
from sdcc.interfaces.administration import CannotDo, Facts
from sdcc.network.acceptor import Acceptor, Circumstances
from sdcc.network.addresses import IPAddress, resolve_blocking
from sdcc.network.limits import AssociationLimits
from sdcc.printable import ascii_json

AT_REST = Circumstances(is_stopping=lambda: False, storage_refusal=lambda: None)


def add(commands: Commands) -> None:
    words = "say how an association would be answered, and by which rule"
    command = commands.add_parser("explain", help=words, description=words)
    command.add_argument(
        "--calling", metavar="TITLE", type=arguments.ae_title, required=True, help="the AE title of the peer"
    )
    command.add_argument(
        "--called", metavar="TITLE", type=arguments.ae_title, required=True, help="the one that it calls"
    )
    command.add_argument(
        "--address", metavar="IP", type=arguments.ip_address, required=True, help="where the peer calls from"
    )
    command.add_argument(
        "--port",
        type=arguments.port,
        default=0,
        help="where it calls to (a port that has the called AE title)",
    )
    command.add_argument(
        "--abstract",
        metavar="UID",
        type=arguments.uid,
        help="the Abstract Syntax that it proposes (none)",
    )
    command.add_argument(
        "--transfer-syntax",
        metavar="UID",
        type=arguments.uid,
        help="the one that it proposes (any that suits)",
    )
    command.add_argument(
        "--live", action="store_true", help="ask the running server, with its limits and its disk as they are"
    )
    live.add(command, "a JSON object: answer, codes, rule, context_result, but")
    command.set_defaults(run=run, usage_error=command.error)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    if options.transfer_syntax and not options.abstract:
        options.usage_error("--transfer-syntax needs --abstract beside it")
    question = Question(
        calling=options.calling,
        called=options.called,
        address=options.address,
        port=options.port,
        abstract=options.abstract or "",
        transfer_syntax=options.transfer_syntax or "",
    )
    if options.live:
        return live.run(options, configuration, "explain", asdict(question), one=True, code=_code)
    limits = AssociationLimits(configuration.association.maximum_open)
    acceptor = Acceptor(configuration, configuration.sop_classes, limits, AT_REST, resolve=_resolve)
    try:
        facts = result(explain(question, configuration, acceptor, limits))
    except CannotDo as error:
        options.usage_error(str(error))
    print(ascii_json(facts) if options.json else tables.explain(facts))
    return _code(facts)


def _code(facts: Facts) -> int:
    return 0 if facts["answer"] == ACCEPTED else 1


async def _resolve(host: str) -> frozenset[IPAddress]:
    return await at_once(resolve_blocking, host)
