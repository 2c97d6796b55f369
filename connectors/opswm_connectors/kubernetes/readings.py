"""What a change of an API object does, as parameters of typed actions; one reader for each kind of object.

Each reader is given what a request sets (see ``objects.partial_object``) and returns the actions that this is: none
where it changes nothing that can be acted on.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from opswm_connectors.kubernetes.quantities import quantity
from opswm_connectors.webhooks.delivery import text_of
from opswm_connectors.webhooks.documents import at, members
from opswm_connectors.webhooks.instants import duration_s
from opswm_schemas.actions.parameters import (
    AutoscalerPolicy,
    CircuitBreak,
    ConfigChange,
    Cordon,
    Deploy,
    Drain,
    KillInstance,
    Parameters,
    Quarantine,
    Restart,
    ScaleHorizontal,
    ScaleVertical,
    TimeoutRetry,
    TrafficShift,
)

Reader = Callable[[str, Mapping[str, Any]], Iterator[Parameters]]
"""Of an object's name and what is set."""

_RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"
_MOST_KEYS: Final = 16


def workload(name: str, told: Mapping[str, Any]) -> Iterator[Parameters]:
    """Read a Deployment, StatefulSet, DaemonSet or Rollout: restart, new image, replicas, resources."""
    template = at(told, "spec", "template")
    if at(template, "metadata", "annotations", _RESTARTED):
        yield Restart(scope="rolling")
    containers = list(members(at(template, "spec", "containers")))
    images = [text_of(container["image"]) for container in containers if container.get("image")]
    if images:
        yield Deploy(artifact=images[0], version=version_of(images[0]))
    replicas = _count(at(told, "spec", "replicas"))
    if replicas is not None and not images:
        yield ScaleHorizontal(to_replicas=replicas)
    limits = [
        at(container, "resources", "limits") or at(container, "resources", "requests") for container in containers
    ]
    cores = [found for limit in limits if (found := quantity(at(limit, "cpu")))]
    memory = [found for limit in limits if (found := quantity(at(limit, "memory")))]
    if (cores or memory) and not images:
        yield ScaleVertical(cpu_cores=sum(cores) or None, memory_bytes=sum(memory) or None)


def scale(name: str, told: Mapping[str, Any]) -> Iterator[Parameters]:
    """Read the ``scale`` subresource."""
    replicas = _count(at(told, "spec", "replicas"))
    if replicas is not None:
        yield ScaleHorizontal(to_replicas=replicas)


def autoscaler(name: str, told: Mapping[str, Any]) -> Iterator[Parameters]:
    """Read a HorizontalPodAutoscaler or KEDA's ScaledObject."""
    spec = at(told, "spec")
    least = _count(at(spec, "minReplicas") if at(spec, "minReplicas") is not None else at(spec, "minReplicaCount"))
    most = _count(at(spec, "maxReplicas") if at(spec, "maxReplicas") is not None else at(spec, "maxReplicaCount"))
    aims = [at(metric, "resource", "target", "averageUtilization") for metric in members(at(spec, "metrics"))]
    aims.append(at(spec, "targetCPUUtilizationPercentage"))
    aim = next((found for value in aims if (found := quantity(value))), None)
    if least is not None or most is not None or aim is not None:
        yield AutoscalerPolicy(min_replicas=least, max_replicas=most, target_ratio=aim / 100.0 if aim else None)


def node(name: str, told: Mapping[str, Any]) -> Iterator[Parameters]:
    """Read a Node: cordoned. Taking the mark away again is no action of the taxonomy."""
    if at(told, "spec", "unschedulable") is True:
        yield Cordon(node=name)


def routes(name: str, told: Mapping[str, Any]) -> Iterator[Parameters]:
    """Read an Istio VirtualService or a Gateway API HTTPRoute: weights, timeout, retries of its first rule."""
    rules = [*members(at(told, "spec", "http")), *members(at(told, "spec", "rules"))]
    for rule in rules[:1]:
        weights: dict[str, float] = {}
        for route in [*members(rule.get("route")), *members(rule.get("backendRefs"))]:
            destination = at(route, "destination", "subset") or at(route, "destination", "host") or route.get("name")
            weight = quantity(route.get("weight"))
            if destination and weight is not None:
                weights[text_of(destination, 200)] = weights.get(text_of(destination, 200), 0.0) + weight
        total = sum(weights.values())
        if total > 0.0 and len(weights) > 1:
            yield TrafficShift(weights={to: weight / total for to, weight in weights.items()})
        timeout = duration_s(rule.get("timeout") or at(rule, "timeouts", "request"))
        attempts = _count(at(rule, "retries", "attempts"))
        if timeout is not None or attempts is not None:
            yield TimeoutRetry(timeout_s=timeout, max_retries=None if attempts is None else min(attempts, 100))


def destination_rule(name: str, told: Mapping[str, Any]) -> Iterator[Parameters]:
    """Read an Istio DestinationRule: bounded connections and ejection of failing members."""
    policy = at(told, "spec", "trafficPolicy")
    most = _count(at(policy, "connectionPool", "tcp", "maxConnections"))
    eject = duration_s(at(policy, "outlierDetection", "baseEjectionTime"))
    if most or eject is not None:
        yield CircuitBreak(max_connections=most or None, eject_s=eject)


def network_policy(name: str, told: Mapping[str, Any]) -> Iterator[Parameters]:
    """Read a NetworkPolicy that lets nothing in or out: a quarantine; others are not acted on."""
    spec = at(told, "spec")
    kinds = at(spec, "policyTypes") or ["Ingress"]
    sealed = [kind for kind in ("Ingress", "Egress") if kind in kinds and not at(spec, kind.lower())]
    if sealed and len(sealed) == len(kinds):
        yield Quarantine(mode="network")


def config_map(name: str, told: Mapping[str, Any]) -> Iterator[Parameters]:
    """Read a ConfigMap: one change for each key that is set; what it was before is not in the request."""
    data = at(told, "data")
    pairs = data.items() if isinstance(data, Mapping) else ()
    for key, value in list(pairs)[:_MOST_KEYS]:
        yield ConfigChange(key=f"{name}/{text_of(key, 200)}", new=None if value is None else str(value)[:4_096])


def eviction(name: str, told: Mapping[str, Any]) -> Iterator[Parameters]:
    """Read an eviction of a pod: its work is drained."""
    yield Drain(grace_s=quantity(at(told, "deleteOptions", "gracePeriodSeconds")))


def deleted_pod(name: str, told: Mapping[str, Any]) -> Iterator[Parameters]:
    """Read a pod that was deleted, for its controller to replace."""
    yield KillInstance(count=1)


WRITES: Final = frozenset({"create", "update", "patch"})
WORKLOADS: Final = ("deployments", "statefulsets", "daemonsets", "rollouts")

READERS: Final[Mapping[tuple[str, str, str], Reader]] = {
    **{(kind, "", verb): workload for kind in WORKLOADS for verb in ("create", "patch")},
    **{(kind, "scale", verb): scale for kind in (*WORKLOADS, "replicasets") for verb in ("update", "patch")},
    **{(kind, "", verb): autoscaler for kind in ("horizontalpodautoscalers", "scaledobjects") for verb in WRITES},
    **{(kind, "", verb): routes for kind in ("virtualservices", "httproutes") for verb in WRITES},
    **{("destinationrules", "", verb): destination_rule for verb in WRITES},
    **{("networkpolicies", "", verb): network_policy for verb in WRITES},
    **{("configmaps", "", verb): config_map for verb in WRITES},
    ("nodes", "", "patch"): node,
    ("pods", "eviction", "create"): eviction,
    ("pods", "", "delete"): deleted_pod,
}
"""By resource, subresource and verb. A workload that is put whole (``update``) does not tell what changed in it."""


def version_of(image: str) -> str:
    """Return the tag or digest of an image reference; ``latest`` where it has none."""
    _, _, digest = image.partition("@")
    if digest:
        return digest
    _, _, tag = image.rpartition("/")[2].partition(":")
    return tag or "latest"


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100_000 else None
