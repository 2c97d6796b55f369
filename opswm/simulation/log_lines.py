"""The log lines of a simulated world: drawn from templates at rates that follow its state, within a bounded volume."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opswm.simulation.log_fields import FIELDS, Lines
from opswm.simulation.log_templates import HAPPENINGS, SYMPTOM_PER_S, SYMPTOMS, TEMPLATES
from opswm.simulation.scene import Scene
from opswm.simulation.state_changes import deployed, restarted
from opswm_schemas.columns import LOGS
from opswm_schemas.telemetry import Severity

MAX_LINES: Final = 20_000
"""Lines of one recording at most; where rates promise more, every rate is lowered by the same factor."""

SHIPPED_S: Final = (0.2, 2.0)
"""Lines are known between so many seconds after they were written."""

_PURPOSE: Final = 21
_SETTINGS: Final = frozenset(
    {"config_change", "timeout_retry", "pool_resize", "rate_limit", "circuit_break", "load_shed", "feature_flag",
     "traffic_shift"}
)  # fmt: skip
"""Actions that reach a program as a changed configuration."""

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Tick and entity of each line."""


@dataclass(frozen=True)
class _Saying:
    """Lines of one template: where they are said, and parts that are known already."""

    template_id: str
    severity: Severity
    text: str
    where: Pairs
    given: dict[str, list[str]]
    delay_s: NDArray[np.float64] | None = None


def logs_of(scene: Scene) -> pa.Table:
    """Return the log lines of a world that were known at its decision, as rows of ``LOGS``.

    Args:
        scene: The world; the same world gives the same lines.
    """
    sayings = [*_drawn(scene), *_happened(scene), *_symptoms(scene)]
    tables = [_table(scene, saying, number) for number, saying in enumerate(sayings) if len(saying.where[0])]
    return pa.concat_tables([LOGS.empty_table(), *tables]).slice(0, MAX_LINES)


def _drawn(scene: Scene) -> Iterator[_Saying]:
    step_s, kinds = scene.blueprint.step_s, np.array([part.kind for part in scene.blueprint.parts])
    expected = []
    for template in TEMPLATES:
        rate = np.nan_to_num(template.rate(scene.signals)) * step_s
        spoken = np.isin(kinds, template.kinds) if template.kinds else np.ones(len(kinds), dtype=bool)
        expected.append(np.minimum(rate * spoken, template.most).clip(min=0.0))
    thinning = min(1.0, 0.8 * MAX_LINES / max(1.0, sum(float(rate.sum()) for rate in expected)))
    for number, (template, rate) in enumerate(zip(TEMPLATES, expected, strict=True)):
        count = np.minimum(scene.rng(_PURPOSE, 0, number).poisson(rate * thinning), template.most)
        yield _Saying(template.template_id, template.severity, template.text, _repeated(count), {})


def _happened(scene: Scene) -> Iterator[_Saying]:
    gone, starved = restarted(scene)
    count = np.minimum(gone, 5).astype(np.int64)
    ages = [float(part.start_s) for part in scene.blueprint.parts]
    for name, number in (("stopped", count * ~starved), ("killed", count * starved), ("started", count)):
        where = _repeated(number)
        delay_s = np.array(ages)[where[1]] if name == "started" else None
        yield _Saying(*HAPPENINGS[name], where, {}, delay_s)
    yield _Saying(*HAPPENINGS["deployed"], _repeated(deployed(scene).astype(np.int64)), {})
    changed = [done for done in scene.done if done.ability.type in _SETTINGS and done.succeeds]
    ticks = [int((done.effect_s - scene.first_s) // scene.blueprint.step_s) for done in changed]
    inside = [at for at, tick in enumerate(ticks) if 0 <= tick < scene.num_ticks]
    where = (
        np.array([ticks[at] for at in inside], dtype=np.int64),
        np.array([scene.blueprint.index(changed[at].ability.target) for at in inside], dtype=np.int64),
    )
    told = [_change(changed[at].params) for at in inside]
    yield _Saying(*HAPPENINGS["configured"], where, {"change": told, "actor": ["on-call"] * len(inside)})


def _symptoms(scene: Scene) -> Iterator[_Saying]:
    step_s = scene.blueprint.step_s
    ends_s = scene.first_s + step_s * np.arange(1, scene.num_ticks + 1)
    for number, breakage in enumerate(scene.blueprint.breakages):
        if breakage.kind not in SYMPTOMS:
            continue
        lasts = (ends_s > breakage.onset_s) & (ends_s - step_s < breakage.onset_s + breakage.duration_s)
        rate = np.zeros((scene.num_ticks, len(scene.blueprint.parts)))
        rate[lasts, scene.blueprint.index(breakage.target)] = SYMPTOM_PER_S * step_s
        count = np.minimum(scene.rng(_PURPOSE, 1, number).poisson(rate), 3)
        yield _Saying(*SYMPTOMS[breakage.kind], _repeated(count), {})


def _repeated(count: NDArray[np.int64]) -> Pairs:
    tick, entity = np.nonzero(count)
    times = count[tick, entity]
    return np.repeat(tick, times), np.repeat(entity, times)


def _change(params: dict[str, float | int | str | bool]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())


def _table(scene: Scene, saying: _Saying, number: int) -> pa.Table:
    tick, entity = saying.where
    lines = Lines(scene, tick, entity, scene.rng(_PURPOSE, 2, number))
    step_s = scene.blueprint.step_s
    written_s = scene.first_s + (tick + lines.rng.random(len(tick))) * step_s
    if saying.delay_s is not None:
        written_s = written_s + saying.delay_s
    known_s = written_s + lines.rng.uniform(*SHIPPED_S, len(tick))
    names = list(dict.fromkeys(name for _, name, _, _ in Formatter().parse(saying.text) if name))
    parts = {name: saying.given[name] if name in saying.given else FIELDS[name](lines) for name in names}
    rows: Sequence[dict[str, str]] = [
        dict(zip(names, values, strict=True)) for values in zip(*parts.values(), strict=True)
    ] or [{} for _ in tick]
    entities = [scene.blueprint.parts[index].name for index in entity.tolist()]
    table = pa.table(
        {
            "entity_id": pa.array(entities, pa.string()),
            "event_at": scene.instants(written_s),
            "known_at": scene.instants(known_s),
            "severity": pa.array([saying.severity] * len(tick), pa.string()),
            "body": pa.array([saying.text.format(**row) for row in rows], pa.string()),
            "template_id": pa.array([saying.template_id] * len(tick), pa.string()),
            "attributes": pa.array([list(row.items()) for row in rows], LOGS.field("attributes").type),
        }
    ).cast(LOGS)
    return table.filter(pa.array(known_s <= scene.decision_s))
