"""Sampled traces are plausible requests of their tick: whole, in order, as slow and as wrong as the signals say."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from opswm.simulation.scene import Readings, Scene
from opswm.simulation.traces import MAX_TRACE_SPANS, MAX_TRACES, shape_of, spans_of

Spans = list[dict[str, Any]]


def end_s(span: dict[str, Any]) -> float:
    """Return when a span ended, seconds since 1970."""
    return float(span["event_at"].timestamp() + span["duration_s"])


def traces_of(spans: Spans) -> dict[str, Spans]:
    """Return spans by trace."""
    found: dict[str, Spans] = defaultdict(list)
    for span in spans:
        found[span["trace_id"]].append(span)
    return found


@pytest.fixture(scope="module")
def spans(scenes: list[Scene]) -> list[Spans]:
    """Spans of all worlds."""
    return [spans_of(scene).to_pylist() for scene in scenes]


def test_a_trace_has_one_root_and_no_orphans(scenes: list[Scene], spans: list[Spans]) -> None:
    """Each span but the root of its trace names another of the same trace, and traces stay within their size."""
    for scene, found in zip(scenes, spans, strict=True):
        traces = traces_of(found)
        assert 20 < len(traces) <= MAX_TRACES
        inlets = {inlet.entity for inlet in scene.blueprint.inlets}
        for trace in traces.values():
            assert len(trace) <= MAX_TRACE_SPANS
            ids = {span["span_id"] for span in trace}
            assert len(ids) == len(trace)
            (root,) = [span for span in trace if span["parent_span_id"] is None]
            assert root["entity_id"] in inlets
            assert all(span["parent_span_id"] in ids for span in trace if span is not root)


def test_a_callee_works_while_its_caller_waits(spans: list[Spans]) -> None:
    """A span lies within its parent's, unless it took a message, which it does after that was sent."""
    consumers = 0
    for found in spans:
        for trace in traces_of(found).values():
            by_id = {span["span_id"]: span for span in trace}
            for span in trace:
                if span["parent_span_id"] is None:
                    continue
                parent = by_id[span["parent_span_id"]]
                assert span["event_at"] >= parent["event_at"]
                if span["kind"] == "consumer":
                    consumers += 1
                    assert parent["kind"] == "producer"
                else:
                    assert end_s(span) <= end_s(parent) + 5e-6
    assert consumers > 0


def test_traces_follow_the_call_graph(scenes: list[Scene], spans: list[Spans]) -> None:
    """Whoever is called has a link from its caller."""
    for scene, found in zip(scenes, spans, strict=True):
        links = {(link.source, link.target) for link in scene.blueprint.links}
        for trace in traces_of(found).values():
            by_id = {span["span_id"]: span for span in trace}
            for span in trace:
                if span["kind"] == "server" and span["parent_span_id"] is not None:
                    assert (by_id[span["parent_span_id"]]["entity_id"], span["entity_id"]) in links


def test_spans_are_known_before_the_decision_and_the_same_each_time(scenes: list[Scene], spans: list[Spans]) -> None:
    """Nothing is told ahead of time, and a second look gives the same spans."""
    for scene, found in zip(scenes, spans, strict=True):
        at = scene.at(scene.decision_s)
        assert all(span["event_at"] < span["known_at"] <= at for span in found)
    assert spans_of(scenes[0]).to_pylist() == spans[0]


def steady(scene: Scene, error_ratio: float = 0.0) -> Scene:
    """Return a world of one unchanging kind of tick: p50 50 ms and p99 500 ms at the edge, faster below."""
    signals: Readings = {name: np.zeros_like(values) for name, values in scene.signals.items()}
    signals["request_rate"][:] = 50.0
    signals["error_ratio"][:] = error_ratio
    for name, value in (("latency_p50", 0.004), ("latency_p99", 0.02), ("latency_mean", 0.005)):
        signals[name][:] = value
        for inlet in scene.blueprint.inlets:
            signals[name][:, scene.blueprint.index(inlet.entity)] = {"latency_p50": 0.05, "latency_p99": 0.5}.get(
                name, 0.1
            )
    tiled = {name: np.tile(values[:1], (MAX_TRACES, 1)) for name, values in signals.items()}
    return replace(scene, signals=tiled, decision_s=scene.first_s + 2.0 * MAX_TRACES * scene.blueprint.step_s)


def test_durations_follow_the_quantiles_of_their_tick(shop: Scene) -> None:
    """Half of the roots are faster than the median, one in a hundred slower than p99; callees are close to theirs."""
    scene = steady(shop)
    found = spans_of(scene).to_pylist()
    roots = np.array([span["duration_s"] for span in found if span["parent_span_id"] is None])
    assert len(roots) > 200
    assert np.mean(roots < 0.05) == pytest.approx(0.5, abs=0.1)
    assert np.mean(roots > 0.5) < 0.04
    assert np.std(np.log(roots)) == pytest.approx(shape_of(scene, 0, 0)[1], rel=0.15)
    below = np.array(
        [span["duration_s"] for span in found if span["entity_id"] == "catalog" and span["kind"] == "server"]
    )
    assert np.median(below) == pytest.approx(0.004, rel=0.25)


def test_failures_follow_the_error_ratio_and_come_from_below(shop: Scene) -> None:
    """As many roots fail as the ratio says, mostly because something they called did."""
    found = spans_of(steady(shop, error_ratio=0.3)).to_pylist()
    traces = traces_of(found)
    roots = {name: next(span for span in trace if span["parent_span_id"] is None) for name, trace in traces.items()}
    failed = [name for name, root in roots.items() if root["failed"]]
    assert len(failed) / len(roots) == pytest.approx(0.3, abs=0.1)
    caused = [name for name in failed if sum(span["failed"] for span in traces[name]) > 1]
    assert len(caused) > 0.5 * len(failed)
    calm = spans_of(steady(shop)).to_pylist()
    assert not any(span["failed"] for span in calm if span["parent_span_id"] is None)
