"""The names used in result files, so that files of different versions can be compared."""

from typing import Final

TASKS: Final = (
    "opsbench", "demeter", "kth", "espa", "cilantro", "nezha", "demo", "simulate", "ingest", "read", "serve", "rank",
)  # fmt: skip
"""What was measured."""

MODELS: Final = (
    "opswm", "opswm_debug", "no_op", "random", "runbook", "fault_lookup", "clairvoyant", "privileged", "mean_effect",
    "lightgbm_forecast", "lightgbm_effect", "lightgbm_lambdarank", "seasonal_naive", "autoets", "tsmixerx", "nhits",
    "tft", "chronos2", "pets", "lewm", "rssm", "gnet", "dowhy_gcm", "queue_twin", "behaviour_cloning", "more_workers",
    "more_cores_per_slot", "persistence", "capacity_regression", "lightgbm_monotone", "ciw",
    "opswm_duckdb", "pyarrow", "duckdb", "polars", "sqlite", "deltalake", "",
)  # fmt: skip
"""Who was measured; empty where it is the software itself."""

METRICS: Final = (
    "regret", "regret_minus_privileged", "gap_closed", "regret_raw", "top1", "kendall_tau_b", "harm_rate",
    "harm_rate_upper95", "abstention", "false_abstention", "coverage90", "interval_score90", "sign_agreement",
    "false_effect_rate", "crps", "mase", "pair_accuracy_latency", "pair_accuracy_recovery", "group_accuracy_latency",
    "group_accuracy_recovery", "rank_effect_ms_p50", "rank_effect_ms_p95", "rank_full_ms_p50", "peak_memory_mb",
    "growth_32_to_1000_local", "growth_32_to_1000_global", "entity_seconds_per_s", "samples_per_s_durable",
    "rows_per_s_import", "read_window_ms_p95", "rank_http_ms_p50", "rank_http_ms_p95", "alert_to_advice_s_p95",
    "harm_rate_all", "harm_mean", "sign_share", "coverage90_beyond_floor", "coverage90_within_floor",
    "interval_width90", "unsettled_share", "no_op_tied_share", "regret_matched", "harm_rate_matched",
    "best_type_given_fault_bits",
    "pair_accuracy_latency_minus_more_cores_per_slot", "pair_accuracy_recovery_minus_more_cores_per_slot",
    "group_accuracy_latency_minus_more_cores_per_slot", "group_accuracy_recovery_minus_more_cores_per_slot",
)  # fmt: skip
"""What was measured of it: the benchmark's own names first, then the shares and splits its definitions ask to publish.

``harm_rate_all`` harm over all decisions; ``harm_mean`` mean effect where harmful; ``sign_share`` share of candidates
that ``sign_agreement`` is over; ``coverage90_beyond_floor`` and ``coverage90_within_floor`` coverage apart for effects
beyond the noise floor and within; ``interval_width90`` width in noise floors; ``unsettled_share`` points whose truth
kept a standard error above a quarter of the floor; ``no_op_tied_share`` points at which waiting is tied with the best;
``regret_matched`` and ``harm_rate_matched`` when every ranker acts at as many points as the world model does, where it
is surest, and waits elsewhere; ``best_type_given_fault_bits`` entropy of the best type of action once the true fault is
known; ``*_minus_more_cores_per_slot`` the difference to that rule, paired by start group.
"""
