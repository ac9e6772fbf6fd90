"""`sdccctl explain`: how the server would answer an association, and by which rule.

The rules are those that live associations are judged by. The answer is that of a server which has
no association open and can store.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from sdcc import conformance
from sdcc.config import Configuration, Local
from sdcc.control import arguments
from sdcc.control.synchronous import at_once, result
from sdcc.network.acceptor import Accepted, Acceptor, Circumstances, Refused
from sdcc.network.addresses import IPAddress, resolve_blocking
from sdcc.network.limits import AssociationLimits
from sdcc.printable import printable
from sdcc.service import ports
from sdcc.upper_layer.codes import ContextResult
from sdcc.upper_layer.items import ProposedContext
from sdcc.upper_layer.pdu import AssociateRQ

AT_REST = Circumstances(is_stopping=lambda: False, storage_refusal=lambda: None)


def add(commands: arguments.Commands) -> None:
    words = "say how an association would be answered, and by which rule"
    command = commands.add_parser("explain", help=words, description=words)
    command.add_argument("--calling", metavar="TITLE", type=arguments.ae_title, required=True)
    command.add_argument("--called", metavar="TITLE", type=arguments.ae_title, required=True)
    command.add_argument(
        "--address", metavar="IP", type=arguments.ip_address, required=True, help="where the peer calls from"
    )
    command.add_argument(
        "--port", type=arguments.port, help="where it calls to (a port that has the called AE title)"
    )
    command.add_argument(
        "--abstract", metavar="UID", type=arguments.uid, help="the Abstract Syntax that it proposes (none)"
    )
    command.add_argument(
        "--transfer-syntax",
        metavar="UID",
        type=arguments.uid,
        help="the one that it proposes (any that suits)",
    )
    command.set_defaults(run=run, usage_error=command.error)


def run(options: argparse.Namespace, configuration: Configuration) -> int:
    if options.transfer_syntax and not options.abstract:
        options.usage_error("--transfer-syntax needs --abstract beside it")
    locals_ = locals_of_port(configuration, options.called, options.port)
    if not locals_:
        options.usage_error(f"no [[local]] has port {options.port}")
    request = AssociateRQ(
        called_ae_title=options.called,
        calling_ae_title=options.calling,
        application_context_name=conformance.DICOM_APPLICATION_CONTEXT,
        presentation_contexts=tuple(proposed(configuration, options.abstract, options.transfer_syntax)),
    )
    limits = AssociationLimits(configuration.association.maximum_open)
    acceptor = Acceptor(configuration, configuration.sop_classes, limits, AT_REST, resolve=_resolve)
    judgement = result(acceptor.judge(request, options.address, locals_))
    if isinstance(judgement, Refused):
        print(printable(f"refused {judgement.codes}: {judgement.rule}"))
        return 1
    if options.abstract is None:
        print("accepted")
        return 0
    return context_answer(options.abstract, judgement, configuration)


def locals_of_port(configuration: Configuration, called_ae: str, port: int | None) -> Mapping[str, Local]:
    """The local AEs, by title, of the port in question; of the first one where several may be meant."""
    there = [locals_ for (_, number), locals_ in ports(configuration.locals) if port in (None, number)]
    return next((locals_ for locals_ in there if called_ae in locals_), next(iter(there), {}))


def proposed(
    configuration: Configuration, abstract: str | None, transfer: str | None
) -> list[ProposedContext]:
    """The contexts of the request: one, or none where no Abstract Syntax is given."""
    if abstract is None:
        return []
    suitable = configuration.sop_classes.get(abstract, conformance.VERIFICATION).transfer_syntaxes
    transfer_syntaxes = tuple(suitable) if transfer is None else (transfer,)
    return [ProposedContext(id=1, abstract_syntax=abstract, transfer_syntaxes=transfer_syntaxes)]


async def _resolve(host: str) -> frozenset[IPAddress]:
    return await at_once(resolve_blocking, host)


def context_answer(abstract: str, accepted: Accepted, configuration: Configuration) -> int:
    """Say what the request's one context gets; give the exit code."""
    (answered,) = accepted.answer.presentation_contexts
    sop_class = configuration.sop_classes.get(abstract)
    if sop_class is None:
        print(_refused(answered.result, f"{abstract} is not provided"))
        return 1
    if answered.result != ContextResult.ACCEPTANCE:
        takes = ", ".join(f"{name} ({uid})" for uid, name in sop_class.transfer_syntaxes.items())
        print(_refused(answered.result, f"{sop_class.name} takes {takes}"))
        return 1
    print(f"accepted: {sop_class.name} with {sop_class.transfer_syntaxes[answered.transfer_syntax]}")
    permission = accepted.permission
    if sop_class.service not in permission.services:
        lack = f"{permission.rule} lack {sop_class.service!r}"
        print(printable(f"but each request is answered 0124: {lack}"))
    return 0


def _refused(context_result: int, rule: str) -> str:
    name = ContextResult(context_result).name.lower().replace("_", "-")
    return f"refused, context result {context_result:d} ({name}): {rule}"
