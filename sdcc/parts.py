"""SDCC put together: each part made once, and given those that it works with."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from functools import partial

from sdcc.archive.commitments import CommitmentJournal
from sdcc.archive.objects import ObjectStore
from sdcc.archive.tokens import Tokens
from sdcc.audit.configured import audit_trail
from sdcc.audit.trail import AuditTrail
from sdcc.config import Configuration
from sdcc.conversion.converter import Converter
from sdcc.inspection.files import Files
from sdcc.inspection.look import Look
from sdcc.interfaces import IObserver, IServiceProvider
from sdcc.network.acceptor import Acceptor, Circumstances
from sdcc.network.addresses import Resolver, resolve_blocking
from sdcc.network.caller import Caller
from sdcc.network.limits import AssociationLimits, WaitingBytes
from sdcc.network.observers import Observers
from sdcc.network.server import MAXIMUM_WAITING, AssociationServer
from sdcc.network.timeouts import Timeouts
from sdcc.services.commitment.provider import CommitmentProvider
from sdcc.services.commitment.reports import Reports
from sdcc.services.commitment.safekeeping import Safekeeping
from sdcc.services.commitment.transactions import Transactions
from sdcc.services.query_retrieve.query import QueryProvider
from sdcc.services.query_retrieve.retrieve import RetrieveProvider
from sdcc.services.registry import Registry
from sdcc.services.storage import StorageProvider
from sdcc.services.verification import VerificationProvider
from sdcc.threads import LooseThreads
from sdcc.world import Reactor, WorkerThreads, World


class Parts:
    """
    :param is_stopping: asked before each association is let in.
    :param observers: told of every association, those that SDCC opens included.

    :ivar threads: all that have to be started and stopped.
    :ivar caller: of associations to the `[[remote]]`.
    :ivar audit: the audit trail; None: there is none.
    """

    def __init__(
        self,
        configuration: Configuration,
        reactor: Reactor,
        world: World,
        *,
        is_stopping: Callable[[], bool],
        observers: Sequence[IObserver] = (),
    ) -> None:
        self._configuration = configuration
        self._reactor = reactor
        self._world = world
        storage_threads = world.threads(reactor, "storage", configuration.storage.threads)
        index_threads = world.threads(reactor, "index", 1)
        self._reading_threads = world.threads(reactor, "reading", 2)  # for what may take longer
        self.threads: tuple[WorkerThreads, ...] = (storage_threads, index_threads, self._reading_threads)
        lookup_threads = LooseThreads(reactor, "lookup")  # a resolver may hang for long
        self.audit = self._audit(lookup_threads)
        self._observers = Observers(
            (
                *([self.audit] if self.audit else ()),
                *observers,
            ),
            world.now,
        )
        self._tokens = Tokens(world.new_token())
        self.objects = ObjectStore(
            configuration.storage.directory,
            filesystem=world.filesystem,
            run_in_thread=storage_threads.run,
            read_in_thread=self._reading_threads.run,
            clock=reactor,
            minimum_free=configuration.storage.minimum_free,
            maximum_object_size=configuration.storage.maximum_object_size,
            new_token=self._tokens,
            now=world.now,
            process=world.process,
        )
        self.index = world.index_of(
            configuration,
            reactor,
            run_in_thread=index_threads.run,
            read_in_thread=self._reading_threads.run,
            lookup_in_thread=lookup_threads.run,
            remove=self.objects.remove,
        )
        self._resolver = Resolver(lookup_threads.run, reactor)
        self.caller = Caller(
            configuration.remotes,
            reactor,
            resolve=self._resolver,
            maximum_pdu_length=configuration.association.maximum_pdu_length,
            timeouts=Timeouts.of(configuration.association),
            observers=self._observers,
        )
        self.converter = Converter(reactor, self.objects.scratch)
        self.journal = CommitmentJournal(
            str(configuration.storage.directory.absolute()),
            filesystem=world.filesystem,
            run_in_thread=storage_threads.run,
            new_token=self._tokens,
        )
        self.transactions = Transactions(
            self.journal,
            Safekeeping(self.index, self.objects, reactor),
            Reports(self.journal, storage_threads.run),
            self.caller,
            clock=reactor,
            now=world.now,
        )
        self._waiting = WaitingBytes()
        self.storage = StorageProvider(self.objects, self.index, reactor, lambda: self._waiting.refusal)
        self.server = self._server(
            is_stopping,
            VerificationProvider(),
            self.storage,
            QueryProvider(self.index, maximum_answers=configuration.query.maximum_answers),
            RetrieveProvider(self.objects, self.index, self.converter, self.caller, reactor),
            CommitmentProvider(self.transactions, storage_threads.run, lambda: self.objects.refusal),
        )

    def _audit(self, lookup_threads: LooseThreads) -> AuditTrail | None:
        if self._configuration.audit is None:
            return None
        threads = self._world.threads(
            self._reactor, "audit", 1
        )  # a disk that hangs is to hold up nothing else
        self.threads += (threads,)
        return audit_trail(
            self._configuration,
            self._reactor,
            run_in_thread=threads.run,
            resolve=partial(lookup_threads.run, resolve_blocking),
            now=self._world.now,
        )

    def _server(self, is_stopping: Callable[[], bool], *providers: IServiceProvider) -> AssociationServer:
        configuration = self._configuration
        limits = AssociationLimits(configuration.association.maximum_open)
        sop_classes = configuration.sop_classes
        circumstances = Circumstances(
            is_stopping=is_stopping,
            storage_refusal=lambda: self.storage.refusal,
        )
        return AssociationServer(
            acceptor=Acceptor(configuration, sop_classes, limits, circumstances, self._resolver),
            registry=Registry(sop_classes, providers),
            sop_classes=sop_classes,
            limits=limits,
            waiting=self._waiting,
            settings=configuration.association,
            clock=self._reactor,
            maximum_waiting=min(MAXIMUM_WAITING, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2),
            observers=self._observers,
            at_cut=self.caller.stop,
        )

    def look(self) -> Look | None:
        """Through what a server may have spoilt that did not stop in order; None: all of them did.

        The storage must be ready. What this process has received itself it registers or removes itself.
        """
        since = self.objects.doubtful_since
        if since is None:
            return None
        configuration, world = self._configuration, self._world

        def now() -> float:
            return world.now().timestamp()

        files = Files(
            str(configuration.storage.directory),
            filesystem=world.filesystem,
            walk_in_thread=self._reading_threads.run,
            read_in_thread=self._reading_threads.run,
            ahead=1,
            timeout=configuration.index.timeout,
            clock=self._reactor,
            now=now,
            settled_before=now() if self.objects.was_alone else float("-inf"),
            is_own=self._tokens.are_in,
            new_token=world.new_token,
        )
        return Look(self.index, files, since=since, done=self.objects.looked_through, clock=self._reactor)
