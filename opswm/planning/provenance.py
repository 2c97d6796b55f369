"""Where an answer came from, so that it can be given again bit for bit."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from opswm.planning.evidence import EvidenceBook
from opswm.timeline.timeline import Timeline
from opswm_schemas.answers import Provenance
from opswm_schemas.questions import ForecastRequest, RankingRequest, WhatIfRequest

VALID_SHARE: Final = 0.25
"""An answer expires after this share of its horizon: the state it was given for has moved on."""


@dataclass(frozen=True)
class Sources:
    """What an answer was made from, besides the question and the timeline.

    Attributes:
        model_id: The model's name.
        model_digest: Its identity.
        ledger_sequence: The last action fact that was read.
        table_versions: Version of each telemetry table that was read.
        evidence: What the model's claims about this system rest on.
    """

    model_id: str
    model_digest: str
    ledger_sequence: int = 0
    table_versions: Mapping[str, int] = field(default_factory=dict)
    evidence: EvidenceBook = field(default_factory=EvidenceBook)


def provenance(
    timeline: Timeline, request: RankingRequest | WhatIfRequest | ForecastRequest, sources: Sources
) -> Provenance:
    """Return the provenance of an answer; the same question on the same data has the same decision id.

    Args:
        timeline: Up to the decision.
        request: The question.
        sources: What else it was made from.
    """
    descriptor = timeline.descriptor
    question = request.model_copy(update={"at": timeline.at}).model_dump_json(by_alias=True)
    identity = [
        descriptor.tenant_id,
        descriptor.system_id,
        str(descriptor.revision),
        sources.model_digest,
        str(sources.ledger_sequence),
        str(sorted(sources.table_versions.items())),
        type(request).__name__,
        question,
    ]
    digest = hashlib.blake2b("\n".join(identity).encode(), digest_size=12).hexdigest()
    horizon_s = request.horizon_ticks * descriptor.step_s
    return Provenance(
        decision_id=f"d-{digest}",
        tenant_id=descriptor.tenant_id,
        system_id=descriptor.system_id,
        decided_at=timeline.at,
        expires_at=timeline.at + timedelta(seconds=max(descriptor.step_s, VALID_SHARE * horizon_s)),
        data_age_s=None if timeline.data_age_s is None else max(0.0, timeline.data_age_s),
        model_id=sources.model_id,
        model_digest=sources.model_digest,
        descriptor_revision=descriptor.revision,
        ledger_sequence=sources.ledger_sequence,
        table_versions=dict(sources.table_versions),
        seed=request.seed,
    )
