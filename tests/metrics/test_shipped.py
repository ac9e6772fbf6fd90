"""The alerts, the dashboard and the page of the documentation speak of metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sdcc.interfaces import Ending

from .bench import Bench

TREE = Path(__file__).parents[2]
ALERTS = TREE / "etc" / "prometheus-alerts.yml"
DASHBOARD = TREE / "etc" / "grafana-dashboard.json"
PAGE = TREE / "docs" / "metrics.rst"

#: What Prometheus adds to what it scrapes.
OF_THE_SCRAPE = frozenset({"job", "instance"})
#: A metric's name is followed by its labels or a range, if anything; a function's by its arguments.
SELECTOR = re.compile(r"\b(up|(?:sdcc|process|python)_\w+)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
GROUPING = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")
IN_TEXT = re.compile(r"\$labels\.(\w+)")
IN_LEGEND = re.compile(r"\{\{(\w+)\}\}")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, list[str]]]:
    """Each PromQL expression, and the labels that are used of what it gives."""
    for rule in rules():
        yield rule["expr"], IN_TEXT.findall(json.dumps(rule["annotations"]))
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"], IN_LEGEND.findall(target["legendFormat"])
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"][1:]:
        query, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
        yield query, [label]


def exposed(bench: Bench) -> dict[str, dict[str, set[str]]]:
    """The values of each label, of each sample's name."""
    found: dict[str, dict[str, set[str]]] = {"up": {}}
    for metric in bench.registry.collect():
        for sample in metric.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


#: Label values that are one of a few words, which an expression may name although the sample has others.
WORDS = {
    "state": {"ready", "degraded", "draining", "stopping"},
    "cause": {"disk", "index", "memory"},
    "stage": {"receiving", "syncing", "registering"},
    "requestor": {"peer", "sdcc"},
    "invoker": {"peer", "sdcc"},
    "ending": {*Ending},
    "command": {"C-STORE"},
    "status": {"0000", "FE00"},
}


def test_every_metric_and_label_that_is_asked_for_is_there(everything: Bench) -> None:
    known = exposed(everything)
    seen = set()
    for expression, labels in expressions():
        names = [name for name, _ in SELECTOR.findall(expression)]
        assert names, expression
        assert known.keys() >= set(names), expression
        seen |= set(names)
        allowed = OF_THE_SCRAPE.union(*(known[name] for name in names))
        grouped = [word.strip() for group in GROUPING.findall(expression) for word in group.split(",")]
        assert allowed >= {*labels, *grouped}, expression
        for name, matchers in SELECTOR.findall(expression):
            for label, comparison, value in MATCHER.findall(matchers):
                assert label in known[name] or label in OF_THE_SCRAPE, (expression, label)
                if not value.startswith("$") and label not in OF_THE_SCRAPE:
                    words = value.split("|") if "~" in comparison else [value]
                    assert set(words) <= WORDS[label], expression
    assert len(seen) > 30


def test_what_an_alert_tells_is_left_of_its_expression() -> None:
    """A label that an aggregation drops would be told as nothing."""
    for rule in rules():
        kept = [word.strip() for group in GROUPING.findall(rule["expr"]) for word in group.split(",")]
        if kept:
            assert set(kept) >= set(IN_TEXT.findall(json.dumps(rule["annotations"]))), rule["alert"]


def test_every_alert_says_what_is_wrong_and_how_grave_it_is() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 10
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_prometheus_own_tool_takes_the_alerts() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    subprocess.run([promtool, "check", "rules", ALERTS], check=True)


def test_the_dashboard_is_one_that_loads() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["schemaVersion"] >= 39
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(identifiers) == len(set(identifiers))
    [source, *variables] = dashboard["templating"]["list"]
    assert (source["name"], source["type"]) == ("datasource", "datasource")
    names = {variable["name"] for variable in variables}
    for thing in [*panels(), *variables]:
        assert thing["datasource"]["uid"] == "${datasource}"
    used = set(re.findall(r"\$(\w+)", json.dumps([panel["targets"] for panel in panels()])))
    assert used <= names | {"__rate_interval"}


def test_its_panels_do_not_lie_over_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells


def test_the_page_has_every_metric_and_no_other(everything: Bench) -> None:
    """A row of its tables begins with the name of a metric, and has the names of its labels."""
    rows = dict(re.findall(r"^``(sdcc_\w+)``(.*(?:\n .*)*)", PAGE.read_text(), re.MULTILINE))
    metrics = {}
    for metric in everything.registry.collect():
        if metric.name.startswith("sdcc_"):
            suffix = {"counter": "_total"}.get(metric.type, "")
            labels = {label for sample in metric.samples for label in sample.labels} - {"le"}
            metrics[metric.name + suffix] = labels
    assert rows.keys() == metrics.keys()
    for name, labels in metrics.items():
        words = set(re.findall(r"``(\w+)``", rows[name]))
        expected = labels - {"calling_ae", "called_ae", "requestor"} if labels >= {"requestor"} else labels
        assert expected <= words, name
        assert ("parties" in rows[name]) == ("requestor" in labels), name
