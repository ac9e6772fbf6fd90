"""Figures of cells, and their medians over rounds."""

from __future__ import annotations

from statistics import median


def percentile(ascending, share):
    """The smallest value that so many of 100 do not exceed."""
    return ascending[max(0, -(-len(ascending) * share // 100) - 1)]


def figures(cell):
    """A cell's raw result by what is shown of it; None: there is nothing to show."""
    done, seconds, size = cell["acknowledged"], cell["seconds"], cell["bytes"]
    milliseconds = 1e3 * cell["processor_seconds"]
    return {
        "rate": done / seconds,
        "megabytes": size / 1e6 / seconds if size else None,
        "p50": cell["answer_p50"] and 1e3 * cell["answer_p50"],
        "p99": cell["answer_p99"] and 1e3 * cell["answer_p99"],
        "processor": milliseconds / done if done else None,
        "processor_megabyte": milliseconds / (size / 1e6) if size else None,
        "memory": cell["peak_memory"] / 1e6,
        "sender": 100 * cell["sender_processor_seconds"] / seconds,
        "lost": max(0, done - cell["files"]) if "files" in cell else None,
    }


def medians(cells):
    """Of the figures of one cell's rounds; of what was lost, the sum."""
    rounds = [figures(cell) for cell in cells]
    found = {}
    for name in rounds[0]:
        values = [each[name] for each in rounds if each[name] is not None]
        over_rounds = sum if name == "lost" else median
        found[name] = over_rounds(values) if values else None
    return found


def by_cell(results):
    """The medians, by (work, associations) and then by receiver; without the rounds that failed."""
    rounds = {}
    for result in results:
        if "failed" not in result:
            cell = rounds.setdefault((result["work"], result["associations"]), {})
            cell.setdefault(result["receiver"], []).append(result)
    return {
        cell: {receiver: medians(found) for receiver, found in receivers.items()}
        for cell, receivers in sorted(rounds.items())
    }


def faults(results):
    """A sentence for everything that is not as it was asked for, or not as it was acknowledged."""
    for result in results:
        where = "({work}) over {associations}, {receiver}, round {round}".format_map(result)
        if "failed" in result:
            yield f"{where}: failed: {result['failed']}"
            continue
        acknowledged = result["acknowledged"]
        if result["refused"]:
            yield f"{where}: {acknowledged} acknowledged, others answered {', '.join(result['refused'])}"
        for kept in ("files", "registered"):
            if result.get(kept, acknowledged) != acknowledged:
                yield f"{where}: {acknowledged} acknowledged, {result[kept]} {kept}"
