"""Which local AEs share a port."""

from __future__ import annotations

from collections.abc import Mapping

from sdcc.config.tables import Local


def ports(locals_: tuple[Local, ...]) -> list[tuple[tuple[str, int], Mapping[str, Local]]]:
    """The local AEs, by title, of each interface and port, in the configuration's order.

    Each AE on "any free port" has a port of its own.
    """
    found: dict[tuple[str, int, int], dict[str, Local]] = {}
    for number, local in enumerate(locals_):
        key = (local.interface, local.port, 0 if local.port else number)
        found.setdefault(key, {})[local.ae_title] = local
    return [((interface, port), aes) for (interface, port, _), aes in found.items()]
