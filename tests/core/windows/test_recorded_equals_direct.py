"""A simulated system that is recorded and read back meets the model as it was trained: one encoding on two paths."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from opswm.planning.candidates import enumerate_candidates
from opswm.simulation.branch import requests_of
from opswm.simulation.kernel.episodes import EpisodePlan, Lived, live
from opswm.simulation.kernel.observe import measured
from opswm.simulation.recorder import decision_at, write_recording
from opswm.timeline.build import build_timeline
from opswm.timeline.timeline import Timeline
from opswm.training import encode as direct
from opswm.windows.situation import encode_courses, encode_situation
from opswm_schemas.recordings.reader import Recording

CONTEXT = 40
HORIZON = 32


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lived, Timeline]:
    """One decision point of the web shop, as it was lived and as its recording tells it."""
    lived = live(EpisodePlan(system="web_shop", context_ticks=CONTEXT), [11])
    path: Path = tmp_path_factory.mktemp("recorded") / "shop"
    write_recording(lived, 0, path)
    with Recording.open(path) as kept:
        at = decision_at(lived, 0)
        told = build_timeline(kept.descriptor, kept.metrics(), kept.actions(), kept.events(), at, CONTEXT)
    return lived, told


def test_the_situation_is_the_same_on_both_paths(both: tuple[Lived, Timeline]) -> None:
    """Structure and past are equal; every channel has the same features in the same ticks, in whatever slot."""
    lived, told = both
    there = measured(lived.blueprints, lived.value.shape[2])
    wanted = direct.encode_lived(lived, there)
    found = encode_situation(told.descriptor, told, CONTEXT)
    for field in fields(wanted.structure):
        if field.name not in ("meaning", "channel"):
            assert torch.equal(getattr(found.structure, field.name), getattr(wanted.structure, field.name)), field.name
    assert int(found.structure.channel.sum()) == int(there.sum())
    for entity, slot in np.argwhere(there[0].numpy()):
        meaning = wanted.structure.meaning[0, entity, slot]
        at = torch.nonzero((found.structure.meaning[0, entity] == meaning) & found.structure.channel[0, entity])
        place = int(at.squeeze())
        assert torch.equal(found.history.seen[0, :, entity, place], wanted.history.seen[0, :, entity, slot])
        assert torch.allclose(
            found.history.value[0, :, entity, place], wanted.history.value[0, :, entity, slot], atol=1e-5
        )
    for field in fields(wanted.past):
        left, right = getattr(found.past, field.name).float(), getattr(wanted.past, field.name).float()
        assert torch.allclose(left, right, atol=1e-5), field.name


def test_courses_are_the_same_on_both_paths(both: tuple[Lived, Timeline]) -> None:
    """Whatever planning proposes has the features, touches and targets that training gave the same request."""
    lived, told = both
    listed = enumerate_candidates(told.descriptor, told, 200, 0)
    courses = [candidate.course for candidate in listed.candidates]
    assert len({course.actions[0].params.type for course in courses[1:]}) >= 10
    found = encode_courses(told.descriptor, told, courses, HORIZON)
    asked = [[requests_of(lived.blueprints[0], course, lived.decision_s) for course in courses]]
    wanted = direct.encode_courses(lived, asked, lived.value.shape[2])
    for field in fields(wanted):
        left, right = getattr(found, field.name).float(), getattr(wanted, field.name).float()
        assert torch.allclose(left, right, atol=1e-5), field.name
