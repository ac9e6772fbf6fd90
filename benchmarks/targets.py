"""What is to be reached: ratios of SDCC to others, of medians of one run."""

from __future__ import annotations

from dataclasses import dataclass

NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Target:
    """Of one work; over each of so many associations for itself."""

    work: str
    associations: tuple[int, ...]
    #: The receiver that SDCC is measured against.
    against: str
    #: What must hold, and what is aimed at.
    at_least: float
    aim: float
    receiver: str = "sdcc-sqlite"
    #: Of :func:`benchmarks.figures.figures`.
    figure: str = "rate"

    def ratios(self, cells):
        """By associations, where both have been measured; `cells` as :func:`benchmarks.figures.by_cell`."""
        found = {}
        for associations in self.associations:
            cell = cells.get((self.work, associations), {})
            ours, theirs = (cell.get(name, {}).get(self.figure) for name in (self.receiver, self.against))
            if ours and theirs:
                found[associations] = ours / theirs
        return found

    def verdict(self, cells):
        ratios = self.ratios(cells)
        if not ratios:
            return NOT_MEASURED
        worst = min(ratios.values())
        reached = "aim reached" if worst >= self.aim else "holds" if worst >= self.at_least else "MISSED"
        return reached if len(ratios) == len(self.associations) else f"{reached}, measured in part"


_ONE, _SEVERAL, _ALL = (1,), (4, 16), (1, 4, 16)
#: pynetdicom takes no sixteen.
_FEW = (1, 4)

TARGETS = (
    Target("a", _ONE, "storescp", 0.6, 1.0),
    Target("a", _SEVERAL, "storescp", 0.6, 1.0),
    Target("b", _ONE, "storescp", 0.6, 1.0),
    Target("b", _SEVERAL, "storescp", 0.8, 1.2),
    Target("c", _FEW, "storescp", 1.2, 2, figure="megabytes"),
    Target("a", _ALL, "orthanc", 2, 5),
    Target("b", _ALL, "orthanc", 2, 5),
    Target("a", _ALL, "dcmqrscp", 1.2, 2),
    Target("b", _ALL, "dcmqrscp", 4, 8),
    Target("a", _FEW, "pynetdicom-storescp", 5, 10),
    Target("b", _FEW, "pynetdicom-storescp", 5, 10),
    Target("c", _FEW, "pynetdicom-storescp", 5, 10, figure="megabytes"),
    Target("a", _ALL, "sdcc-sqlite", 0.9, 1.1, receiver="sdcc-postgresql"),
    Target("b", _ALL, "sdcc-sqlite", 0.9, 1.1, receiver="sdcc-postgresql"),
    Target("d", _ONE, "storescp", 0.3, 0.6),
    Target("d", _ONE, "pynetdicom-storescp", 10, 20),
    Target("e", _ONE, "storescp", 0.2, 0.5),
    Target("e", _ONE, "pynetdicom-storescp", 30, 80),
)
