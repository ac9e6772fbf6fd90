"""Study completion as a configuration asks for it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from sdcc.completion.command import Command
from sdcc.completion.completion import Completion
from sdcc.completion.notices import Deliver, Notices
from sdcc.config import StudySettings
from sdcc.interfaces import IStudyStates

#: Commands that run at a time, and likewise requests to the site's service.
AT_ONCE = 2


def completion(
    settings: StudySettings, states: IStudyStates, reactor: Any, now: Callable[[], datetime.datetime]
) -> Completion | None:
    """None: no study becomes stable."""
    if not settings.stable_after:
        return None
    notices = [
        Notices(means, deliver, states, timeout=settings.timeout, at_once=AT_ONCE, clock=reactor, now=now)
        for means, deliver in _means(settings, reactor).items()
    ]
    return Completion(states, stable_after=settings.stable_after, notices=notices, clock=reactor, now=now)


def _means(settings: StudySettings, reactor: Any) -> Mapping[str, Deliver]:
    """By which the site is told of stable studies."""
    means: dict[str, Deliver] = {}
    if settings.command:
        means["command"] = Command(settings.command, processes=reactor, clock=reactor)
    if settings.post:
        from sdcc.completion.post import Post  # noqa: PLC0415  # twisted.web is for who has a use for it

        means["post"] = Post(settings.post, reactor)
    return means
