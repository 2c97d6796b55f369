"""What users were promised: offered first attempts and the bad ones among them, per objective.

An attempt belongs to the substep in which it arrives. Its fate is read from the state it meets: refused or dropped, an
error, or a response time (the waiting line ahead of it plus service and calls as they now are) beyond the threshold or
the client's patience. This is an approximation where the line's pace changes while the attempt waits; work lost to a
restart is charged when it is lost, at most the arrivals of that substep.
"""

from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel import latency
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.wiring import Wiring


def offered_and_bad(
    parameters: WorldParameters,
    wiring: Wiring,
    first_attempts: Float[Tensor, "Z W G"],
    failed: Float[Tensor, "Z J"],
    latency_s: Float[Tensor, "Z J"],
    latency_var: Float[Tensor, "Z J"],
) -> tuple[Float[Tensor, "Z W O"], Float[Tensor, "Z W O"]]:
    """Return offered first attempts (or items) and the bad ones among them, in each of ``Z`` substeps.

    Args:
        parameters: The worlds.
        wiring: Index tensors.
        first_attempts: Exogenous first attempts per entry; clients' retries add none.
        failed: Share of arrivals at each judged entity (``Wiring.judged``) that is refused, dropped or gets an error.
        latency_s: Mean response time there of a request that arrives then.
        latency_var: Its variance.
    """
    objectives = parameters.objectives
    shape = (first_attempts.shape[0], *objectives.items.shape)
    offered = first_attempts.reshape(shape[0], -1).index_select(1, wiring.objective_entry).view(shape)
    offered = offered * (objectives.items * objectives.there)
    first = wiring.entry.numel()
    at = slice(first, first + wiring.objective.numel())
    slow = latency.share_beyond(
        latency_s[:, at].reshape(shape), latency_var[:, at].reshape(shape), objectives.threshold_s
    )
    lost = failed[:, at].reshape(shape)
    upstream = failed.index_select(1, wiring.objective_entry).view(shape)
    lost = lost + objectives.deadline * (upstream - lost * upstream)
    return offered, offered * (lost + slow - lost * slow)
