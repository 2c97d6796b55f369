"""Joint futures from shared noise."""

import torch

from opswm.model.sampling import draw_noise, paired_effect, sample_bad

B, S, M, H, G, J, K = 2, 3, 4, 6, 2, 5, 16


def test_noise_is_antithetic_and_autocorrelated() -> None:
    """Noise comes in opposite pairs, each of unit variance, and neighbouring ticks correlate as asked."""
    noise = draw_noise(20_000, 4, 12, 3, 0.9, torch.Generator().manual_seed(0))
    assert torch.equal(noise.along[:10_000], -noise.along[10_000:])
    assert float(noise.along.std(0).sub(1.0).abs().max()) < 0.03
    lag = (noise.along[:, 1:] * noise.along[:, :-1]).mean()
    assert abs(float(lag) - 0.9) < 0.03
    assert float(noise.between.std(0).sub(1.0).abs().max()) < 0.03


def test_courses_with_the_same_latents_have_the_same_futures() -> None:
    """Twins without loadings differ in nothing, in any sample, so their paired effect is exactly 0."""
    noise = draw_noise(K, M, H, J, 0.5, torch.Generator().manual_seed(1))
    log_odds = torch.randn(B, 1, M, H, G).expand(B, S, M, H, G)
    bad = sample_bad(log_odds, torch.rand(B, H, G), torch.zeros(B, S, H, G, J), noise)
    assert bool((paired_effect(bad, torch.full((B, G), 0.5)) == 0.0).all())


def test_each_sample_belongs_to_one_member() -> None:
    """Without noise, sample k is the forecast of member k modulo the number of members."""
    noise = draw_noise(K, M, H, J, 0.5, torch.Generator().manual_seed(2))
    log_odds = torch.randn(B, S, M, H, G)
    bad = sample_bad(log_odds, torch.zeros(B, H, G), torch.zeros(B, S, H, G, J), noise)
    for sample in range(K):
        torch.testing.assert_close(bad[:, :, sample], torch.sigmoid(log_odds[:, :, sample % M]))


def test_courses_that_load_alike_err_together() -> None:
    """Courses with equal loadings move together over the samples, with opposite ones against each other."""
    noise = draw_noise(400, 1, H, J, 0.5, torch.Generator().manual_seed(3))
    loadings = torch.zeros(1, 3, H, 1, J)
    loadings[:, 1], loadings[:, 2] = 0.3, -0.3
    bad = sample_bad(torch.zeros(1, 3, 1, H, 1), torch.zeros(1, H, 1), loadings, noise)
    effect = paired_effect(bad, torch.ones(1, 1))[0]
    assert float(torch.corrcoef(effect[1:])[0, 1]) < -0.99


def test_paired_effect_by_hand() -> None:
    """Two objectives weighted 3 to 1 over two ticks give the difference of their weighted means."""
    bad = torch.tensor([[[0.2, 0.4], [0.4, 0.4]], [[0.1, 0.8], [0.1, 0.0]]])[None, :, None]
    effect = paired_effect(bad, torch.tensor([[0.75, 0.25]]))
    torch.testing.assert_close(effect[0, 1], torch.tensor([0.75 * (0.1 - 0.3)]))
