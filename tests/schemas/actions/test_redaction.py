"""Secrets and personal data leave an action before it is written; what is needed to learn from it stays."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm_schemas.actions.parameters import Parameters
from opswm_schemas.actions.record import Action, Actor, Source, Target
from opswm_schemas.actions.redaction import REDACTED, names_secret, redact_action, redact_text
from opswm_schemas.examples.parameters import PARAMETERS
from opswm_schemas.examples.system import action, transition

AWS_KEY = "AKIA" + "ABCDEFGHIJKLMNOP"
WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJhbGV4In0.c2lnbmF0dXJl"
CODE_TOKEN = "ghp_" + "abcdefghij0123456789ABCDEFGHIJ012345"


def acting(params: Any, **fields: Any) -> Action:
    """Return an action with these parameters."""
    return Action.model_validate(
        {
            "action_id": "a1",
            "system_id": "shop",
            "type": params["type"],
            "target": {"entity_id": "worker@2.service.example"},
            "params": params,
            "actor": Actor(kind="human", id="alex@example.org"),
            "source": Source(system="test"),
            **fields,
        }
    )


def config(key: str, old: Any, new: Any, **fields: Any) -> Action:
    """Return a change of one configuration key."""
    return acting({"type": "config_change", "key": key, "old": old, "new": new}, **fields)


@pytest.mark.parametrize(
    "key",
    [
        "db.password",
        "SLACK_TOKEN",
        "apiKey",
        "api-key",
        "clientSecret",
        "AUTHORIZATION",
        "ssh.private_key",
        "ownerEmail",
    ],
)
def test_values_under_secret_names_are_replaced(key: str) -> None:
    """Both values of a configuration key with a secret name are replaced, and their paths reported."""
    clean, fields = redact_action(config(key, "hunter2", "correct horse"))
    assert fields == ["params.old", "params.new"]
    assert clean.params.model_dump() == {"type": "config_change", "key": key, "old": REDACTED, "new": REDACTED}


def test_numbers_under_strongly_secret_names_are_replaced() -> None:
    """A password that is a number is a password; what there is none of stays none."""
    clean, fields = redact_action(config("door.password", None, 4711.0))
    assert fields == ["params.new"]
    assert clean.params.model_dump()["old"] is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_tokens", 512.0), ("token_bucket.rate", "500"), ("cookie.max_age", "3600 s"), ("keyspace", "orders"),
     ("monkey.type", "capuchin"), ("http.proxy", "proxy.internal:3128"), ("image", "sha256:" + "ab" * 32)],
)  # fmt: skip
def test_plain_settings_stay(key: str, value: Any) -> None:
    """Quantities and names that only resemble secrets stay, because a model learns from them."""
    change = config(key, value, value)
    assert redact_action(change) == (change, [])


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"used {AWS_KEY} here", f"used {REDACTED} here"),
        (f"token {WEB_TOKEN}", f"token {REDACTED}"),
        (f"git with {CODE_TOKEN}", f"git with {REDACTED}"),
        ("Authorization: Bearer abcdef0123456789", f"Authorization: {REDACTED}"),
        ("postgres://orders:s3cret@db:5432/orders", f"postgres://{REDACTED}@db:5432/orders"),
        ("asked jane.doe@example.com first", f"asked {REDACTED} first"),
        ('{"password": "a b", "user": "x"}', f'{{"password": {REDACTED}, "user": "x"}}'),
        ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\nend", f"{REDACTED}\nend"),
        ("basic configuration of the bearer service", "basic configuration of the bearer service"),
        ("https://grafana.example/d/abc?from=now-1h", "https://grafana.example/d/abc?from=now-1h"),
    ],
)
def test_only_the_revealing_part_of_a_text_is_replaced(text: str, clean: str) -> None:
    """In running text the credential or address is replaced and the words around it stay."""
    assert redact_text(text) == clean


def test_every_free_field_of_an_action_is_searched() -> None:
    """Custom values, previous parameters, notes, selectors, references and evidence are all searched."""
    found = acting(
        {"type": "custom", "values": {"headers": [{"name": "x-api-key", "value": "abc"}], "to": ["bob@example.com"]}},
        previous_params={"login": {"password": "old"}},
        transitions=[transition().model_copy(update={"note": "password=hunter2"})],
        target={"selector": {"owner": "eve@example.com"}},
        source={"system": "ci", "raw_ref": "https://u:p@ci.example/1"},
        evidence=[{"kind": "log", "ref": CODE_TOKEN}],
    )
    clean, fields = redact_action(found)
    assert fields == [
        "params.values.headers.0.value",
        "params.values.to.0",
        "previous_params.login.password",
        "transitions.0.note",
        "target.selector.owner",
        "source.raw_ref",
        "evidence.0.ref",
    ]
    written = clean.model_dump_json()
    for secret in ("abc", "bob@", '"old"', "hunter2", "eve@", "u:p", CODE_TOKEN):
        assert secret not in written


def test_previous_parameters_of_a_secret_key_are_replaced() -> None:
    """What a secret key was set to before is replaced wherever it stands in the previous parameters."""
    clean, fields = redact_action(
        config("db.password", "a", "b", previous_params={"new": "older", "type": "config_change"})
    )
    assert "previous_params.new" in fields
    assert clean.previous_params == {"new": REDACTED, "type": "config_change"}


def test_who_acted_and_on_what_stays() -> None:
    """The actor, and ids that only look like addresses, stay: the record would mean nothing without them."""
    drained = acting({"type": "drain", "target": "node@7.cluster.example"})
    assert redact_action(drained) == (drained, [])


def test_a_replacement_fits_the_field() -> None:
    """A note that grows by replacement is cut to what a note may hold, and nothing secret is left in it."""
    note = "pwd=a " * 330
    clean, _ = redact_action(action().with_facts(transition().model_copy(update={"note": note})))
    assert len(clean.transitions[-1].note) <= 2_000
    assert "pwd=a" not in clean.transitions[-1].note


@pytest.mark.parametrize("params", PARAMETERS, ids=lambda params: params.type)
def test_clean_parameters_of_every_type_stay(params: Parameters) -> None:
    """An action without secrets comes back unchanged, whatever its type."""
    clean = action().model_copy(
        update={"type": params.type, "params": params, "target": Target(entity_id="a@b.example")}
    )
    assert redact_action(clean) == (clean, [])


@given(
    key=st.sampled_from(["password", "token", "owner", "email", "plain"]) | st.text(max_size=12),
    text=st.text(max_size=80)
    | st.sampled_from(
        ["password='a b", "token=x,y", "a@b.cd", "https://u:p@h/", f"Bearer {WEB_TOKEN}", "pwd = [redacted]x"]
    ),
)
def test_redacting_twice_changes_nothing_more(key: str, text: str) -> None:
    """Redaction is idempotent: what was redacted once is clean."""
    clean, _ = redact_action(config(key, text, f"set to {text}"))
    assert redact_action(clean) == (clean, [])
    assert redact_text(redact_text(text)) == redact_text(text)


def test_names_are_judged_by_their_words() -> None:
    """Names are split at punctuation and capitals, so that only whole words count."""
    assert names_secret("dbPassword", "x")
    assert names_secret("DB_PASSWORD_FILE", "x")
    assert not names_secret("passworthy", "x")
    assert not names_secret("secretary", "x")
