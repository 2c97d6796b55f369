"""Keeping freed memory changes speed and nothing else."""

import ctypes

import pytest

from opswm.simulation.kernel import memory


def test_a_c_library_without_the_option_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the C library has no such option, that is told and nothing fails."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not memory.keep_memory()


def test_the_options_are_those_that_keep_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces up to the largest that glibc takes come from the heap, and the heap is not trimmed after each."""
    told: dict[int, int] = {}

    class Library:
        """A C library that takes both options."""

        @staticmethod
        def mallopt(option: int, value: int) -> int:
            """Take an option."""
            told[option] = value
            return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    assert memory.keep_memory()
    assert told == {-3: 32 * 2**20, -1: 512 * 2**20, -2: 64 * 2**20}
