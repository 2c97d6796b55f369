"""Counter-based noise: keyed, well distributed, monotone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opswm.simulation.kernel import noise


def test_a_draw_depends_on_its_key_alone() -> None:
    """A draw for one world and entity is the same whichever other worlds and entities are drawn with it."""
    seeds = noise.world_seeds(7, torch.arange(5), torch.zeros(5, dtype=torch.int64))
    many = noise.draw(noise.stream(seeds, 11, noise.Purpose.FLOW), 42)
    few = noise.draw(noise.stream(seeds[3:4], 4, noise.Purpose.FLOW), 42)
    assert torch.equal(many[3:4, :4], few)


def test_seed_world_future_tick_and_purpose_all_matter() -> None:
    """Changing any part of the key changes the draws."""
    worlds, first = torch.arange(6), torch.zeros(6, dtype=torch.int64)

    def drawn(seed: int, future: int, purpose: noise.Purpose, tick: int) -> torch.Tensor:
        return noise.draw(noise.stream(noise.world_seeds(seed, worlds, first + future), 9, purpose), tick)

    usual = drawn(1, 0, noise.Purpose.ARRIVAL, 3)
    for other in (
        drawn(2, 0, noise.Purpose.ARRIVAL, 3),
        drawn(1, 1, noise.Purpose.ARRIVAL, 3),
        drawn(1, 0, noise.Purpose.BRIDGE, 3),
        drawn(1, 0, noise.Purpose.ARRIVAL, 4),
        drawn(1 << 40, 0, noise.Purpose.ARRIVAL, 3),
    ):
        assert (usual != other).float().mean() > 0.99


def test_uniforms_are_uniform_and_uncorrelated_over_ticks() -> None:
    """Mean, variance and lag-one correlation of a long stream are those of independent uniforms."""
    keys = noise.stream(noise.world_seeds(3, torch.arange(2), torch.zeros(2, dtype=torch.int64)), 3, noise.Purpose.FLOW)
    drawn = torch.stack([noise.uniform(noise.draw(keys, tick)) for tick in range(4000)]).view(4000, -1)
    assert float(drawn.min()) > 0.0
    assert float(drawn.max()) < 1.0
    assert drawn.mean(0).sub(0.5).abs().max() < 0.02
    assert drawn.var(0).sub(1 / 12).abs().max() < 0.005
    centred = drawn - drawn.mean(0)
    assert ((centred[1:] * centred[:-1]).mean(0) / drawn.var(0)).abs().max() < 0.06


def test_both_halves_of_a_pair_are_uniform_and_independent() -> None:
    """Two 16-bit uniforms from the same bits have no correlation worth speaking of."""
    keys = noise.stream(
        noise.world_seeds(5, torch.arange(4000), torch.zeros(4000, dtype=torch.int64)), 2, noise.Purpose.FLOW
    )
    one, other = noise.uniform_pair(noise.draw(keys, 1))
    pair = torch.stack([one.view(-1), other.view(-1)])
    assert pair.mean(1).sub(0.5).abs().max() < 0.02
    assert torch.corrcoef(pair)[0, 1].abs() < 0.04


@given(mean=st.floats(0.0, 400.0), low=st.floats(0.001, 0.998), more=st.floats(0.0, 0.001))
def test_poisson_counts_rise_with_their_uniform(mean: float, low: float, more: float) -> None:
    """The Poisson transform is monotone, so paired futures stay paired."""
    counts = noise.poisson(torch.tensor([low, low + more]), torch.tensor([mean, mean]))
    assert counts[0] <= counts[1]


@pytest.mark.parametrize("mean", [0.0, 0.3, 2.5, 11.9, 12.1, 60.0])
def test_poisson_counts_have_the_right_mean_and_variance(mean: float) -> None:
    """Over an even grid of uniforms, mean and variance are those of the Poisson distribution."""
    uniforms = (torch.arange(200_000) + 0.5) / 200_000
    counts = noise.poisson(uniforms, torch.full_like(uniforms, mean))
    assert float(counts.mean()) == pytest.approx(mean, abs=0.01 + 0.002 * mean)
    assert float(counts.var()) == pytest.approx(mean, abs=0.01 + 0.01 * mean)
    assert torch.equal(counts, counts.round())


def test_small_poisson_counts_are_exact() -> None:
    """The chance of no arrival at a small mean is exp(-mean)."""
    uniforms = (torch.arange(100_000) + 0.5) / 100_000
    counts = noise.poisson(uniforms, torch.full_like(uniforms, 0.7))
    assert float((counts == 0).float().mean()) == pytest.approx(0.496585, abs=1e-4)


def test_the_highest_uniforms_give_counts_of_their_own() -> None:
    """A count at the very end of the distribution is the same beside a larger mean, and within reason."""
    highest, means = torch.full((3,), 1.0 - 2.0**-24), torch.tensor([0.4, 3.0, 11.9])
    together = noise.poisson(highest, means)
    alone = torch.cat([noise.poisson(highest[:1], mean[None]) for mean in means])
    assert torch.equal(together, alone)
    assert (together <= means + 7.0 * means.sqrt() + 6.0).all()


def test_normal_pairs_are_looked_up_without_a_difference() -> None:
    """The pair of normals of some bits is, bit for bit, what the pair of uniforms of those bits gives."""
    keys = noise.stream(
        noise.world_seeds(9, torch.arange(7), torch.zeros(7, dtype=torch.int64)), 11, noise.Purpose.FLOW
    )
    bits = noise.draw(keys, 5)
    looked_up = noise.normal_pair(bits)
    assert all(
        torch.equal(one, noise.normal(other)) for one, other in zip(looked_up, noise.uniform_pair(bits), strict=True)
    )
