"""What no system can be: impossible numbers, names that lead nowhere, calls in a circle, too little capacity in health.

Every message says which system and which part, link or entry is meant, what is wrong and what to do about it.
"""

from collections import Counter, defaultdict
from typing import Final

from opswm.simulation.kernel.blueprint import Blueprint, Link
from opswm.simulation.kernel.faults import FAULT_INDEX, Shape
from opswm.simulation.kernel.sizing import call_order, usual
from opswm_schemas.vocabulary import ENTITY_KINDS, RELATION_KINDS

MOST_UTILIZATION: Final = 0.95
MOST_PROFILE_POINTS: Final = 16_384


def check_blueprint(blueprint: Blueprint) -> None:
    """Check that a blueprint can be made into a world; it may be overloaded or broken.

    Raises:
        ValueError: When a name is unknown or used twice, synchronous calls run in a circle, an entity has no replica,
            or a rate, duration, size or weight makes no sense.
    """
    if not blueprint.parts or not blueprint.inlets:
        raise ValueError(f"{blueprint.name!r} needs at least one part and one entry of demand")
    _check_numbers(blueprint)
    _check_names(blueprint)
    _check_profiles(blueprint)
    check_faults(blueprint)
    waited_for = [link for link in blueprint.links if link.synchronous > 0]
    try:
        call_order(blueprint.parts, waited_for)
    except ValueError as error:
        raise ValueError(f"{blueprint.name!r}: {error}") from error
    total = sum(goal.weight for goal in blueprint.goals)
    if blueprint.goals and abs(total - 1.0) > 1e-6:
        raise ValueError(f"{blueprint.name!r}: objective weights sum to {total:g}, they must sum to 1")


def check_stable(blueprint: Blueprint) -> None:
    """Check that every part can do its usual work: what is overloaded in good health never settles.

    Raises:
        ValueError: When a part's cores, slots or connections are used by 95 % or more at mean demand, or calls run in a
            circle.
    """
    known = usual(blueprint.parts, blueprint.links, blueprint.inlets)
    pulled = {part.consumer for part in blueprint.parts if part.consumer}
    on_host: defaultdict[str, float] = defaultdict(float)
    for part in blueprint.parts:
        rate = known.rate_rps[part.name]
        on_host[part.host] += rate * part.cpu_s
        if part.kind in ("host", "zone", "queue"):
            continue
        held_s = part.cpu_s + part.io_s + known.downstream_s[part.name]
        cores, slots = part.replicas * part.cores, part.pool_size or part.replicas * part.slots
        for what, load in (("cores", rate * part.cpu_s / cores), ("slots or connections", rate * held_s / slots)):
            if load >= MOST_UTILIZATION:
                role = "items its queue hands it" if part.name in pulled else "requests a second"
                raise ValueError(
                    f"{blueprint.name!r}, {part.name}: {rate:.0f} {role} take {load:.0%} of its {what} in good "
                    f"health; give it more replicas or {what}, quicker work or less demand, to stay below "
                    f"{MOST_UTILIZATION:.0%}"
                )
    for part in blueprint.parts:
        if part.kind == "host" and on_host[part.name] >= MOST_UTILIZATION * part.host_cores:
            raise ValueError(
                f"{blueprint.name!r}, {part.name}: what runs on it needs {on_host[part.name]:.1f} of its "
                f"{part.host_cores:g} cores in good health; give it more cores or move something to another host"
            )


def _check_numbers(blueprint: Blueprint) -> None:
    rules: list[tuple[str, str, float, float]] = []
    for part in blueprint.parts:
        rules += [(part.name, name, getattr(part, name), low) for name, low in _PART_RULES]
    for link in blueprint.links:
        rules += [(f"{link.source}->{link.target}", name, getattr(link, name), low) for name, low in _LINK_RULES]
    for inlet in blueprint.inlets:
        rules += [(f"demand at {inlet.entity}", name, getattr(inlet, name), low) for name, low in _INLET_RULES]
    for goal in blueprint.goals:
        rules += [(goal.name, "threshold_s", goal.threshold_s, 1e-4), (goal.name, "weight", goal.weight, 0.0)]
    for where, name, value, low in rules:
        if not low <= value < float("inf"):
            hint = " (an entity without a replica serves nobody)" if name == "replicas" else ""
            raise ValueError(
                f"{blueprint.name!r}, {where}: {name} is {value}; it must be a finite number from {low} on{hint}"
            )
    for part in blueprint.parts:
        for name in _SHARES:
            if not 0.0 <= getattr(part, name) <= 1.0:
                raise ValueError(
                    f"{blueprint.name!r}, {part.name}: {name} is {getattr(part, name)}; it is a share, 0 to 1"
                )


def _check_names(blueprint: Blueprint) -> None:
    twice = [name for name, times in Counter(part.name for part in blueprint.parts).items() if times > 1]
    if twice:
        raise ValueError(f"{blueprint.name!r}: {', '.join(map(repr, twice))} is the name of several parts; rename them")
    kinds = {part.name: part.kind for part in blueprint.parts}
    for part in blueprint.parts:
        if part.kind not in ENTITY_KINDS:
            raise ValueError(
                f"{blueprint.name!r}, {part.name}: kind {part.kind!r} is none of {', '.join(ENTITY_KINDS)}"
            )
        for role, other, wanted in (
            ("host", part.host, "host"),
            ("consumer", part.consumer, ""),
            ("peer", part.peer, ""),
        ):
            if other and kinds.get(other) is None:
                raise ValueError(
                    f"{blueprint.name!r}, {part.name}: its {role} {other!r} is no part; add it or leave the {role} out"
                )
            if other and wanted and kinds[other] != wanted:
                raise ValueError(
                    f"{blueprint.name!r}, {part.name}: its {role} {other!r} is a {kinds[other]}, not a {wanted}"
                )
    for link in blueprint.links:
        _check_link(blueprint, link, kinds)
    for inlet in blueprint.inlets:
        if inlet.entity not in kinds:
            raise ValueError(
                f"{blueprint.name!r}: demand arrives at {inlet.entity!r}, which is no part; name one that is"
            )


def _check_link(blueprint: Blueprint, link: Link, kinds: dict[str, str]) -> None:
    where = f"{blueprint.name!r}, {link.source}->{link.target}"
    for name in (link.source, link.target):
        if name not in kinds:
            raise ValueError(f"{where}: there is no part {name!r}; add it or take the link out")
        if kinds[name] in ("host", "zone"):
            raise ValueError(f"{where}: {name!r} is a {kinds[name]}, which neither calls nor is called")
    if link.source == link.target:
        raise ValueError(f"{where}: a part cannot call itself; give it the work as cpu_s or io_s")
    if link.kind not in RELATION_KINDS:
        raise ValueError(f"{where}: kind {link.kind!r} is none of {', '.join(RELATION_KINDS)}")


def _check_profiles(blueprint: Blueprint) -> None:
    for inlet in blueprint.inlets:
        where = f"{blueprint.name!r}, demand at {inlet.entity}"
        if len(inlet.profile) > MOST_PROFILE_POINTS:
            raise ValueError(
                f"{where}: its profile has {len(inlet.profile)} points, at most {MOST_PROFILE_POINTS} fit; resample it"
            )
        for position, value in enumerate(inlet.profile):
            if not 0.0 <= value < float("inf"):
                raise ValueError(
                    f"{where}: point {position} of its profile is {value}; give finite multipliers from 0 on"
                )


def check_faults(blueprint: Blueprint) -> None:
    """Check that the faults of a blueprint are of known kinds, strike its parts and are of a size that makes sense.

    Raises:
        ValueError: When one is not.
    """
    names = {part.name for part in blueprint.parts}
    for breakage in blueprint.breakages:
        where = f"{blueprint.name!r}, fault {breakage.kind!r} at {breakage.target!r}"
        if breakage.kind not in FAULT_INDEX:
            raise ValueError(f"{where}: kinds of faults are {', '.join(FAULT_INDEX)}")
        if breakage.shape not in Shape.__members__:
            raise ValueError(f"{where}: its shape {breakage.shape!r} is none of {', '.join(Shape.__members__)}")
        for name in (breakage.target, breakage.origin):
            if name and name not in names:
                raise ValueError(f"{where}: there is no part {name!r}; faults strike parts of their system")
        for name, low in (("magnitude", 0.0), ("duration_s", 0.0), ("ramp_s", 0.0)):
            if not low <= getattr(breakage, name) < float("inf"):
                raise ValueError(f"{where}: {name} is {getattr(breakage, name)}; it must be finite and not negative")


_SHARES: Final = ("error_ratio", "memory_ratio", "hit_max")
_PART_RULES: Final = (
    ("slots", 0.1), ("pool_size", 0.0), ("cores", 0.01), ("cpu_s", 1e-6), ("io_s", 0.0), ("scv", 0.0),
    ("thinning", 0.0), ("error_ratio", 0.0), ("queue_limit", 1.0), ("patience_s", 0.0), ("replicas", 1.0),
    ("replicas_max", 0.0), ("start_s", 1.0), ("warmup_s", 1.0), ("warmup_penalty", 0.0), ("contention_knee", 0.1),
    ("contention_slope", 0.0), ("refill_s", 1.0), ("host_cores", 0.1), ("scaler_target", 0.01),
    ("old_version_penalty", 0.01),
)  # fmt: skip
_LINK_RULES: Final = (
    ("calls", 0.0), ("on_path", 0.0), ("required", 0.0), ("weight", 0.0), ("timeout_s", 0.01), ("retries", 0.0),
    ("backoff_s", 0.0), ("breaker_open_s", 0.0),
)  # fmt: skip
_INLET_RULES: Final = (
    ("rate_rps", 0.0), ("diurnal_period_s", 1.0), ("jitter", 0.0), ("jitter_s", 1.0), ("burst_amplitude", 0.0),
    ("burst_period_s", 1.0), ("client_timeout_s", 0.01), ("client_retries", 0.0), ("profile_step_s", 0.1),
)  # fmt: skip
