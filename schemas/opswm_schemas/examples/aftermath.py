"""Examples of what surrounds the example system's advice: its incident, its outcome, a token to report both."""

from opswm_schemas.actions.record import Source
from opswm_schemas.examples.system import after
from opswm_schemas.incidents import Incident, IncidentUpdate
from opswm_schemas.outcomes import Outcome
from opswm_schemas.tokens import ApiToken


def incident() -> Incident:
    """Return an incident that an alert opened and a rollback ended."""
    return Incident(
        incident_id="incident-12",
        system_id="shop",
        updates=[
            IncidentUpdate(
                event_at=after(30.0),
                known_at=after(31.0),
                status="opened",
                title="checkout is slow",
                severity="error",
                entity_ids=["checkout"],
                event_ids=["alert-3"],
                source="alertmanager",
            ),
            IncidentUpdate(event_at=after(300.0), known_at=after(305.0), status="resolved", source="alertmanager"),
        ],
    )


def outcome() -> Outcome:
    """Return what was measured in the ten minutes after the example's ranking."""
    return Outcome(
        outcome_id="decision-91/10min",
        system_id="shop",
        decision_id="decision-91",
        action_id="rollback-7",
        course_id="roll-back",
        since=after(60.0),
        window_s=600.0,
        slo_cost_bad_minutes=2.2,
        measured_ratio=0.98,
        known_at=after(720.0),
        source=Source(system="opswm"),
    )


def api_token() -> ApiToken:
    """Return a token of a program that reports telemetry, as it is shown in a list."""
    return ApiToken(
        token_id="token-5c1d2f0a",
        tenant_id="default",
        prefix="opswm_5c1d2f0a",
        name="collector of the shop",
        scopes=["ingest"],
        system_ids=["shop"],
        created_at=after(0.0),
    )
