"""Many threads' calls become one commit: whoever comes first works for all who came while the last one did."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import Generic, TypeVar

Call = TypeVar("Call")
Answer = TypeVar("Answer")


@dataclass
class _Waiting(Generic[Call, Answer]):
    call: Call
    size: int
    answer: Answer | Exception | None = None
    is_done: bool = False


class GroupCommit(Generic[Call, Answer]):
    """Hands calls of many threads to one function, several at a time, in the order in which they came.

    Args:
        commit: Given calls, does them all and returns an answer, or an exception, for each. What it raises
            goes to every caller of the group.
        max_bytes: A group ends where its calls together are larger; it has at least one.
    """

    def __init__(self, commit: Callable[[list[Call]], Sequence[Answer | Exception]], max_bytes: int) -> None:
        self._commit = commit
        self._max_bytes = max_bytes
        self._waiting: list[_Waiting[Call, Answer]] = []
        self._changed = Condition()
        self._is_busy = False

    def run(self, call: Call, size: int) -> Answer:
        """Return the answer once the call is done, by this thread or another.

        Args:
            call: What to do.
            size: Its bytes, for the bound of a group.
        """
        mine = _Waiting[Call, Answer](call, size)
        with self._changed:
            self._waiting.append(mine)
        while True:
            with self._changed:
                while self._is_busy and not mine.is_done:
                    self._changed.wait()
                if mine.is_done:
                    break
                group = self._take()
            self._do(group)
        if isinstance(mine.answer, Exception):
            raise mine.answer
        assert mine.answer is not None  # what is done has an answer
        return mine.answer

    def _take(self) -> list[_Waiting[Call, Answer]]:
        self._is_busy = True
        taken, total = 0, 0
        for waiting in self._waiting:
            total += waiting.size
            if taken and total > self._max_bytes:
                break
            taken += 1
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    def _do(self, group: list[_Waiting[Call, Answer]]) -> None:
        try:
            for waiting, answer in zip(group, self._commit([one.call for one in group]), strict=True):
                waiting.answer = answer
        except Exception as problem:
            for waiting in group:
                waiting.answer = problem
        except BaseException:  # this thread was told to stop; the others are told that nothing is certain
            for waiting in group:
                waiting.answer = InterruptedError("the thread that committed was stopped; send it again")
            raise
        finally:
            with self._changed:
                for waiting in group:
                    waiting.is_done = True
                self._is_busy = False
                self._changed.notify_all()
