"""SDCC put together: each part made once, and given those that it works with."""

from __future__ import annotations

import resource
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from sdcc.administration.administration import Administration, Condition, OpenPort
from sdcc.administration.associations import OpenAssociations
from sdcc.archive.commitments import CommitmentJournal
from sdcc.archive.objects import ObjectStore
from sdcc.archive.tokens import Tokens
from sdcc.audit.configured import audit_trail
from sdcc.audit.trail import AuditTrail
from sdcc.completion.configured import completion
from sdcc.config import Configuration, ConfigurationError
from sdcc.conformance import NO_NAME
from sdcc.conversion.converter import Converter
from sdcc.inspection.files import Files
from sdcc.inspection.look import Look
from sdcc.interfaces import IObserver, IServiceProvider
from sdcc.interfaces.administration import Facts
from sdcc.metrics.counts import Counts
from sdcc.network.acceptor import Acceptor, Circumstances
from sdcc.network.addresses import Resolver, resolve_blocking
from sdcc.network.caller import Caller
from sdcc.network.limits import AssociationLimits, WaitingBytes
from sdcc.network.observers import Observers
from sdcc.network.security import security
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
from sdcc.tls import NotUsable
from sdcc.world import Reactor, WorkerThreads, World


def _names(configuration: Configuration) -> dict[str, str]:
    """Of the SOP Classes, by UID. No two have the same: of what has no name, its UID is one."""
    classes = configuration.sop_classes
    return {uid: uid if known.name == NO_NAME else known.name for uid, known in classes.items()}


def _nobody(study_instance_uid: str) -> None:
    """To be told of a registration."""


def _nothing() -> None:
    """What a reload changes of TLS where it has nothing to do with it."""


class Parts:
    """
    :param is_stopping: asked before each association is let in.
    :param observers: told of every association, those that SDCC opens included.

    :ivar threads: all that have to be started and stopped.
    :ivar run_loosely: runs in a thread what may hang, and what no stop waits for.
    :ivar caller: of associations to the `[[remote]]`.
    :ivar security: TLS; None: no connection uses it.
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
        self.configuration = configuration
        self._reactor = reactor
        self._world = world
        storage_threads = world.threads(reactor, "storage", configuration.storage.threads)
        index_threads = world.threads(reactor, "index", 1)
        self._reading_threads = world.threads(reactor, "reading", 2)  # for what may take longer
        self.threads: tuple[WorkerThreads, ...] = (storage_threads, index_threads, self._reading_threads)
        lookup_threads = LooseThreads(reactor, "lookup")  # a resolver may hang for long
        self.run_loosely = lookup_threads.run
        self.audit = self._audit(lookup_threads)
        self.sop_class_names = _names(configuration)
        self.counts = None if configuration.http is None else Counts(self.sop_class_names)
        self._open_associations = OpenAssociations()
        own = (self._open_associations, self.audit, self.counts)
        self._observers = Observers((*(each for each in own if each is not None), *observers), world.now)
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
        tls = configuration.tls if configuration.uses_tls else None
        self.security = None if tls is None else security(tls, reactor, world.now)
        self.caller = Caller(
            configuration.remotes,
            reactor,
            resolve=self._resolver,
            maximum_pdu_length=configuration.association.maximum_pdu_length,
            timeouts=Timeouts.of(configuration.association),
            security=self.security,
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
        self.limits = AssociationLimits(configuration.association.maximum_open)
        self.waiting = WaitingBytes()
        self.completion = completion(configuration.study, self.index.study_states, reactor, world.now)
        self.storage = StorageProvider(
            self.objects,
            self.index,
            reactor,
            lambda: self.waiting.refusal,
            self.completion.registered if self.completion else _nobody,
        )
        self._query = QueryProvider(self.index, maximum_answers=configuration.query.maximum_answers)
        self.server = self._server(
            is_stopping,
            VerificationProvider(),
            self.storage,
            self._query,
            RetrieveProvider(self.objects, self.index, self.converter, self.caller, reactor),
            CommitmentProvider(self.transactions, storage_threads.run, lambda: self.objects.refusal),
        )

    def _audit(self, lookup_threads: LooseThreads) -> AuditTrail | None:
        if self.configuration.audit is None:
            return None
        # its own, because a disk that hangs is to hold up nothing else
        threads = self._world.threads(self._reactor, "audit", 1)
        self.threads += (threads,)
        return audit_trail(
            self.configuration,
            self._reactor,
            run_in_thread=threads.run,
            resolve=partial(lookup_threads.run, resolve_blocking),
            now=self._world.now,
        )

    def _server(self, is_stopping: Callable[[], bool], *providers: IServiceProvider) -> AssociationServer:
        configuration = self.configuration
        sop_classes = configuration.sop_classes
        circumstances = Circumstances(
            is_stopping=is_stopping,
            is_draining=lambda: self.server.is_draining,
            storage_refusal=lambda: self.storage.refusal,
        )
        self._acceptor = Acceptor(configuration, sop_classes, self.limits, circumstances, self._resolver)
        self._registry = Registry(sop_classes, providers)
        return AssociationServer(
            acceptor=self._acceptor,
            registry=self._registry,
            sop_classes=self._registry.sop_classes,
            limits=self.limits,
            waiting=self.waiting,
            settings=configuration.association,
            clock=self._reactor,
            maximum_waiting=min(MAXIMUM_WAITING, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2),
            observers=self._observers,
            at_cut=self.caller.stop,
        )

    async def prepare_security(self, configuration: Configuration) -> Callable[[], object]:
        """Read the certificates of another configuration; gives what puts them into effect.

        :raises ConfigurationError: they cannot be used.
        """
        if not configuration.uses_tls:  # nobody need renew what nothing uses any more
            return _nothing if self.security is None else self.security.stop
        settings = configuration.tls
        if settings is None:
            return _nothing  # ports that have TLS until the restart keep what there is
        made = self.security
        if made is None:
            made = await self.run_loosely(security, settings, self._reactor, self._world.now)
        try:
            use = await made.renewed(self.run_loosely, settings)
        except NotUsable as error:
            raise ConfigurationError(str(error).splitlines()) from None

        def take_effect() -> None:
            use()
            self.security = self.caller.security = made

        return take_effect

    def reconfigure(self, configuration: Configuration) -> None:
        """Go by another configuration from now on, as far as that is possible; what is open is not touched.

        Of what has to wait for a restart it says the same as the one before.
        """
        before, self.configuration = self.configuration, configuration
        self.sop_class_names |= _names(configuration)
        sop_classes, association = configuration.sop_classes, configuration.association
        self._registry.extend(sop_classes)
        self._acceptor.reconfigure(configuration, sop_classes)
        self.server.reconfigure(association)
        self._query.reconfigure(maximum_answers=configuration.query.maximum_answers)
        self.objects.reconfigure(
            minimum_free=configuration.storage.minimum_free,
            maximum_object_size=configuration.storage.maximum_object_size,
        )
        self._resolver.forget()
        self.caller.reconfigure(
            configuration.remotes,
            maximum_pdu_length=association.maximum_pdu_length,
            timeouts=Timeouts.of(association),
        )
        if configuration.remotes != before.remotes:
            self.transactions.retry()

    def administration(
        self,
        *,
        condition: Callable[[], Condition],
        ports: Callable[[], Sequence[OpenPort]],
        reload: Callable[[], Awaitable[Facts]],
        drain: Callable[[bool], Facts],
        log_levels: Callable[[], Mapping[str, str]],
        set_log_level: Callable[[str, str], None],
    ) -> Administration:
        """What an administrator may ask of these parts, from now on."""
        return Administration(
            configuration=lambda: self.configuration,
            process=self._world.process,
            now=self._world.now,
            started_at=self._world.now(),
            condition=condition,
            ports=ports,
            limits_=self.limits,
            waiting=self.waiting,
            acceptor=self._acceptor,
            open_associations=self._open_associations,
            activities=self.server.activities,
            abort_association=self.server.abort,
            free_bytes=lambda: self.objects.free_bytes,
            index_refusal=lambda: self.index.refusal,
            storage_refusal=lambda: self.storage.refusal,
            reload_configuration=reload,
            drain_associations=drain,
            log_levels=log_levels,
            set_log_level=set_log_level,
        )

    def look(self) -> Look | None:
        """Through what a server may have spoilt that did not stop in order; None: all of them did.

        The storage must be ready. What this process has received itself it registers or removes itself.
        """
        since = self.objects.doubtful_since
        if since is None:
            return None
        configuration, world = self.configuration, self._world

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
