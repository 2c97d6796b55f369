"""Predicted features back in canonical units."""

import numpy as np
import pytest

from opswm.canonical import to_feature
from opswm.errors import BadInputError
from opswm.windows.decoding import channel_bands, to_canonical
from opswm.windows.layout import layout_of
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS
from tests.core.windows.diner import READINGS, diner


def test_bands_undo_the_encoding() -> None:
    """Features of known readings come back as those readings, in the channel's canonical unit."""
    descriptor = diner()
    layout = layout_of(descriptor)
    values = np.array([[READINGS[channel.channel_id] for channel in descriptor.channels]] * 3)
    factors = np.array([0.5, 1.0])
    scaled = np.stack([to_feature(values * factor, layout.channel_meaning) for factor in factors], axis=-1)
    features = np.stack([layout.spread(scaled[..., q]) for q in range(2)], axis=-1)
    bands = channel_bands(descriptor, [0.1, 0.9], features)
    assert [band.channel_id for band in bands] == list(READINGS)
    for band in bands:
        expected = READINGS[band.channel_id]
        assert band.values == [pytest.approx([expected * 0.5, expected])] * 3
    assert bands[2].unit == "s"
    assert [band.channel_id for band in channel_bands(descriptor, [0.1, 0.9], features, ["db"])] == [
        "db.in_use",
        "db.size",
    ]


def test_what_cannot_be_is_not_shown() -> None:
    """Rates are not negative and shares stay within 0 to 1, while an unknown meaning is left alone."""
    meaning = np.array([MEANING_INDEX[name] for name in ("request_rate", "error_ratio", "error_ratio", "other")])
    shown = to_canonical(np.array([-1.0, 1.4, -0.1, -1.0]), meaning)
    assert shown[:3].tolist() == [0.0, 1.0, 0.0]
    assert shown[3] == pytest.approx(np.sinh(-1.0))


@pytest.mark.parametrize("index", range(len(MEANINGS)))
def test_every_meaning_survives_the_round_trip(index: int) -> None:
    """A reading of ordinary size is the same after encoding and decoding."""
    value = np.array([0.37 * min(MEANINGS[index].reference, 1.0)])
    meaning = np.array([index])
    assert to_canonical(to_feature(value, meaning), meaning) == pytest.approx(value)


def test_an_unknown_entity_is_refused() -> None:
    """Asking for the bands of something the system lacks is an error, not an empty answer."""
    with pytest.raises(BadInputError, match="'mars'"):
        channel_bands(diner(), [0.5], np.zeros((2, 4, 5, 1)), ["mars"])
