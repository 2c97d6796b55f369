"""What an import of Demeter runs may be told."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemeterConfig:
    """Delays, inference and objective of an import; the defaults are those of the published experiments.

    Attributes:
        scrape_delay_s: From a sample's timestamp to the moment it can be queried. Prometheus scraped every
            TaskManager once a second (``PodMonitor`` ``interval: 1s``), so one interval.
        log_delay_s: From a line in the controller's log to the moment a reader of the file has it; the log
            is flushed line by line, and one second is generous.
        settled_after_s: How long a number of TaskManagers must hold before a change to it counts as
            scaling. A TaskManager lost to an injected fault is back sooner than that in every fixed-size
            run, so that such a run shows no scaling at all.
        after_fault_s: A change that begins this soon after an injected fault may be its consequence.
        inferred_confidence: That a settled change was the autoscaler's doing.
        after_fault_confidence: The same, soon after a fault.
        fault_delay_s, fault_duration_s: What the controller's Chaos Mesh experiment did: packets of one
            TaskManager delayed by the first for the time of the second. The log states neither.
        latency_objective_s: A tick with a p95 latency above this is bad. Both jobs answer within 1.0 to 1.3 s
            when they keep up (their windows), so twice that is a queue.
        step_s: Length of a tick in the descriptor; 32 ticks then span the six minutes a recovery may take.
    """

    scrape_delay_s: float = 1.0
    log_delay_s: float = 1.0
    settled_after_s: int = 60
    after_fault_s: int = 120
    inferred_confidence: float = 0.8
    after_fault_confidence: float = 0.5
    fault_delay_s: float = 60.0
    fault_duration_s: float = 30.0
    latency_objective_s: float = 2.0
    step_s: float = 15.0
