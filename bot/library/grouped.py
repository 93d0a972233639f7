"""Grouped transactions: what several callers read or write at the same moment goes in one."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import LibraryBusyError, LibraryError, LibraryFullError, LibraryUnreachableError

_MOST: Final = 8
"""Of one kind of work in one transaction: with more, who came first waits for all who came after."""

_OF_ALL: Final = (LibraryBusyError, LibraryFullError, LibraryUnreachableError)
"""What the next transaction would meet as well."""

ItemT = TypeVar("ItemT", contravariant=True)
ResultT = TypeVar("ResultT", covariant=True)


class Work(Protocol[ItemT, ResultT]):
    """Work of several callers in the transaction of ``session``, with as few statements as one caller's.

    It returns what each of the ``items`` gets, in their order; an exception is what that caller alone gets.
    Where it raises one, the transaction is undone, and each item is tried in a transaction of its own.
    """

    def __call__(
        self, session: AsyncSession, items: Sequence[ItemT], /
    ) -> Awaitable[Sequence[ResultT | Exception]]:
        """Do it."""


@dataclass(slots=True, eq=False)
class _Caller:
    work: Work[Any, Any]
    item: object
    result: asyncio.Future[Any]


class GroupedTransactions:
    """Transactions that callers share, each entered with ``enter``.

    Who comes while one is under way is in the next one, in the order of coming; who comes alone waits for
    nobody. So a hundred at once cost few transactions and few statements. Unless it ``mixes`` them, one
    transaction has one kind of work: those that lock rows in different orders would wait in a circle.
    """

    def __init__(
        self, enter: Callable[[], AbstractAsyncContextManager[AsyncSession]], *, mixes: bool
    ) -> None:
        self._enter = enter
        self._mixes = mixes
        self._waiting: deque[_Caller] = deque()
        self._running: asyncio.Task[None] | None = None
        self._is_closed = False

    async def run(self, work: Work[ItemT, ResultT], item: ItemT) -> ResultT:
        """Return what ``work`` returns for ``item``, after the transaction. Raises what it has for it.

        Who is cancelled gets nothing, and what is under way for them is carried out all the same. Raises
        `LibraryError` after the end.
        """
        if self._is_closed:
            raise LibraryError("the database is closed")
        caller = _Caller(work, item, asyncio.get_running_loop().create_future())
        self._waiting.append(caller)
        if self._running is None:
            self._running = asyncio.create_task(self._run_all(), name="grouped-transactions")
        result: ResultT = await caller.result
        return result

    async def aclose(self) -> None:
        """Take nothing more, and wait until nothing is under way, and nobody waits."""
        self._is_closed = True
        while self._running is not None:
            await asyncio.wait([self._running])

    async def _run_all(self) -> None:
        callers: list[_Caller] = []
        try:
            while self._waiting:
                callers = self._next_group()
                await self._run_group([one for one in callers if not one.result.done()])
        finally:
            self._running = None
            for one in (*callers, *self._waiting):  # there are any only if this task was cancelled
                one.result.cancel()

    def _next_group(self) -> list[_Caller]:
        """Take out whose turn it is: of each kind of work those who came first.

        So who is ahead with one kind does not wait for all who came meanwhile, who are still at another.
        """
        first, group, left = self._waiting[0].work, Counter[Work[Any, Any]](), deque[_Caller]()
        taken: list[_Caller] = []
        for one in self._waiting:
            if group[one.work] < _MOST and (self._mixes or one.work == first):
                group[one.work] += 1
                taken.append(one)
            else:
                left.append(one)
        self._waiting = left
        return taken

    async def _run_group(self, callers: Sequence[_Caller]) -> None:
        try:
            found = await self._results(callers) if callers else []
        except Exception as error:
            if len(callers) > 1 and not isinstance(error, _OF_ALL):
                for one in callers:
                    await self._run_group([one])
                return
            found = [(one, error) for one in callers]
        for one, result in found:
            if one.result.done():
                continue
            if isinstance(result, Exception):
                one.result.set_exception(result)
            else:
                one.result.set_result(result)

    async def _results(self, callers: Sequence[_Caller]) -> list[tuple[_Caller, Any]]:
        by_work: dict[Work[Any, Any], list[_Caller]] = {}
        for one in callers:
            by_work.setdefault(one.work, []).append(one)
        found: list[tuple[_Caller, Any]] = []
        async with self._enter() as session:
            for work, ones in by_work.items():
                results = await work(session, [one.item for one in ones])
                found += zip(ones, results, strict=True)
        return found
