"""Group commit: the runs of this process that are ready at the same moment share one transaction, and one fsync.

A run alone commits for itself at once. Where several run, whoever comes first leads: it waits a moment for the others,
takes what is there, writes it, and hands over. Against whom something stands is written by itself, the others without
it: if all of them went alone, they would wait for one another's locks, lose their leases, and so on.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import Error
from psycopg import IntegrityError, OperationalError
from psycopg.errors import DeadlockDetected, DivisionByZero

from agents.runs.claims import StaleLeaseError
from agents.runs.commits import write, write_at_once
from agents.runs.database import engine_connection
from agents.runs.entries import Commit
from agents.runs.journal import engine_transaction
from foundation.prepared import Sender

_LARGEST = 128  # commits in one transaction
_PATIENCE = 0.002  # seconds that a leader waits for the others at most


class InterruptedRunError(Exception):
    """The run was cancelled, paused or resumed, or has passed its time limit: nothing was written, look at it anew."""


class _Turn:
    """A commit that waits: `signal` is released when it is written, has to lead, or has to go alone."""

    __slots__ = ("commit", "error", "leads", "signal")

    def __init__(self, commit: Commit) -> None:
        self.commit = commit
        self.signal = threading.Lock()
        self.signal.acquire()
        self.leads = False
        self.error: Exception | None = None


class _Away:
    """A call to the world outside: nobody waits for this run meanwhile."""

    def __init__(self, committer: "Committer") -> None:
        self._committer = committer

    def __enter__(self) -> None:
        self._committer.leave()

    def __exit__(self, *_: object) -> None:
        self._committer.come()


class Committer:
    """One for each process."""

    def __init__(self) -> None:
        self.away = _Away(self)
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._waiting: list[_Turn] = []
        self._is_led = False
        self._present = 0

    @contextmanager
    def present(self) -> Iterator[None]:
        """A run of this process that may soon commit."""
        self.come()
        try:
            yield
        finally:
            self.leave()

    def come(self) -> None:
        """It is back from a call."""
        with self._lock:
            self._present += 1

    def leave(self) -> None:
        """It is away in a call, or has ended: nobody waits for it."""
        with self._lock:
            self._present -= 1
            self._ready.notify()

    def commit(self, commit: Commit) -> None:
        """Write a commit, together with others where that pays. Raises StaleLeaseError or InterruptedRunError."""
        turn = _Turn(commit)
        with self._lock:
            self._waiting.append(turn)
            turn.leads = not self._is_led
            self._is_led = True
            if not turn.leads:
                self._ready.notify()
        if not turn.leads:
            turn.signal.acquire()
        if turn.leads:
            self._lead(turn)
        if turn.error is not None:
            # Whatever was wrong with one of them, each is judged by itself.
            commit_alone(commit)

    def _lead(self, own: _Turn) -> None:
        group = self._gather(own)
        _write_all(group)
        self._hand_over()
        for turn in group:
            if turn is not own:
                turn.signal.release()

    def _gather(self, own: _Turn) -> list[_Turn]:
        deadline = time.monotonic() + _PATIENCE
        with self._lock:
            while len(self._waiting) < min(self._present // 2, _LARGEST):
                left = deadline - time.monotonic()
                if left <= 0 or not self._ready.wait(left):
                    break
            group = [own, *(turn for turn in self._waiting if turn is not own)][:_LARGEST]
            taken = set(map(id, group))
            self._waiting = [turn for turn in self._waiting if id(turn) not in taken]
        return group

    def _hand_over(self) -> None:
        with self._lock:
            self._is_led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].signal.release()


def _write_all(turns: list[_Turn]) -> None:
    """Write commits together, as far as that goes; the others get their error."""
    try:
        _write([turn.commit for turn in turns])
    except Exception as error:  # noqa: BLE001 - each member finds out for itself what is wrong
        if len(turns) == 1 or (isinstance(error, OperationalError) and not isinstance(error, DeadlockDetected)):
            for turn in turns:
                turn.error = error
            return
        for part in _apart(turns, error):
            _write_all(part)


def _apart(turns: list[_Turn], error: Exception) -> list[list[_Turn]]:
    """Those against whom nothing is seen to stand; if that is all of them, in two halves."""
    runs = [turn.commit.work for turn in turns]
    try:
        with engine_connection() as connection:
            rows = connection.execute(
                _WELL, ([one.run.id for one in runs], [one.lease.fence for one in runs],
                        [one.run.pause_requested for one in runs])
            ).fetchall()  # fmt: skip
    except psycopg.Error:
        rows = []
    well = {row[0] for row in rows}
    rest = [turn for turn in turns if turn.commit.work.run.id in well]
    if len(rest) == len(turns):
        return [turns[: len(turns) // 2], turns[len(turns) // 2 :]]
    for turn in turns:
        if turn.commit.work.run.id not in well:
            turn.error = error
    return [rest] if rest else []


_WELL = """
SELECT r.id FROM unnest(%s::uuid[], %s::bigint[], %s::bool[]) AS x(id, fence, pausing)
JOIN runs_run r ON r.id = x.id AND r.fence = x.fence AND r.state = 'running' AND NOT r.cancel_requested
    AND r.deadline > clock_timestamp() AND r.pause_requested = x.pausing
"""


def commit_alone(commit: Commit) -> None:
    """Write a commit in a transaction of its own. Raises StaleLeaseError or InterruptedRunError."""
    try:
        with engine_transaction() as cursor:
            commit.entries.own_cursor = cursor
            write(cursor, [commit])
    except Error as error:
        raise why_not(commit, error) from error


def why_not(commit: Commit, error: Exception) -> Exception:
    """What a failed commit means: the lease is stale, the run is to end, or the error itself."""
    work = commit.work
    with engine_transaction() as cursor:
        cursor.execute(
            "SELECT fence = %s AND state = 'running', cancel_requested, deadline <= clock_timestamp(), pause_requested "
            "FROM runs_run WHERE id = %s",
            (work.lease.fence, work.run.id),
        )
        row = cursor.fetchone()
    if row is None or not row[0]:
        return StaleLeaseError(work.run.id)
    work.run.cancel_requested, is_late = row[1], row[2]
    if work.run.cancel_requested or (is_late and not work.is_late):
        work.is_late = is_late
        return InterruptedRunError(work.run.id)
    if work.run.pause_requested != row[3]:
        work.run.pause_requested = row[3]
        return InterruptedRunError(work.run.id)
    return error


def _write(group: list[Commit]) -> None:
    # Their rows are locked in this order, as whoever pauses a run locks it and all below it.
    commits = sorted(group, key=lambda one: (one.work.run.depth, one.work.run.id))
    with engine_connection() as connection:
        try:
            if write_at_once(Sender(connection), commits):
                return
        except (DivisionByZero, IntegrityError):
            # Something stands against one of them at least.
            pass
        with connection.transaction(), connection.cursor() as cursor:
            write(cursor, commits)


committer = Committer()
