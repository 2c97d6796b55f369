"""Long work in worker threads: a few pieces at once, a few waiting, and the rest is told to come back."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
from fastapi import Request
from starlette.types import Receive

from opswm_api.problems import ProblemError

Result = TypeVar("Result")


class WorkQueue:
    """Runs blocking work for requests.

    A request that waits leaves the queue when its client goes away. Work that has begun is finished, since nothing
    can stop a thread; what one piece may cost is bounded elsewhere.

    Args:
        workers: How many pieces are worked on at once.
        waiting: How many further requests may wait.
        what: What is worked on, plural, for messages.
        retry_after_s: When to come back, seconds.
    """

    def __init__(self, workers: int, waiting: int, what: str, retry_after_s: int) -> None:
        self._limiter = anyio.CapacityLimiter(workers)
        self._most = workers + waiting
        self._present = 0
        self._what = what
        self._retry_after_s = retry_after_s

    @property
    def num_present(self) -> int:
        """How many requests are worked on or wait."""
        return self._present

    def require_room(self) -> None:
        """Check that one more request could wait.

        Raises:
            ProblemError: 503 with ``Retry-After`` when it could not.
        """
        if self._present >= self._most:
            detail = (
                f"{self._present} {self._what} are being worked on or wait, the most is {self._most}; "
                f"try again in {self._retry_after_s} s"
            )
            raise ProblemError(503, detail, kind="busy", headers={"Retry-After": str(self._retry_after_s)})

    async def run(self, request: Request, work: Callable[[], Result]) -> Result:
        """Return the result of work, done in a thread once it is its turn.

        Args:
            request: Whose work it is; its body has been read.
            work: Blocks.

        Raises:
            ProblemError: 503 when there is no room, or the client went away before its turn.
            Exception: Whatever the work raises.
        """
        self.require_room()
        self._present += 1
        results: list[Result] = []
        failure: Exception | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_with_client, request.receive, group.cancel_scope)
                try:
                    results.append(await anyio.to_thread.run_sync(work, limiter=self._limiter))
                except Exception as problem:  # a task group would wrap it in a group of exceptions
                    failure = problem
                group.cancel_scope.cancel()
        finally:
            self._present -= 1
        if failure is not None:
            raise failure
        if not results:
            raise ProblemError(503, "the client went away before its turn", kind="busy")
        return results[0]


async def _cancel_with_client(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
