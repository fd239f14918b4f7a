"""The runs of this process: so many at a time, taken from the queue whenever a bell rings and there is room.

A bell says no more than *look again*. One look takes as many runs as there is room for, with one statement, so that
bells need not arrive one by one, nor all of them, nor only once.
"""

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connections

from agents.runs.engine import work_on
from agents.runs.leases import keeper
from agents.runs.presence import Presence
from agents.runs.taking import Taken, take

log = structlog.get_logger(__name__)

_ANYWAY = 1.0  # seconds until it looks without a bell: lost bells, lost workers and timers wait no longer
_AGAIN = 0.5  # seconds until a look that failed is repeated


class Runner:
    """One for each worker process. `wake` rings for the runs that became ready because of others."""

    def __init__(self, wake: Callable[[Iterable[UUID]], None], slots: int) -> None:
        self._wake, self._slots = wake, slots
        self._tasks: SimpleQueue[Taken | None] = SimpleQueue()
        # Daemons: a call that hangs does not keep a process alive that is asked to end.
        self._threads = [threading.Thread(target=self._serve, name=f"run-{one}", daemon=True) for one in range(slots)]
        self._changed = threading.Condition()
        self._rung: dict[UUID, None] = {}
        self._busy = 0
        self._looks = True
        self._stopping = False
        self._hurries = False
        self._drained: bool | None = None
        self._presence = Presence(keeper.worker, self.ring)
        self._thread = threading.Thread(target=self._dispatch, name="runner", daemon=True)

    def start(self) -> None:
        """Begin to take runs."""
        keeper.report = self.report
        keeper.start()
        self._presence.start()
        for thread in (*self._threads, self._thread):
            thread.start()

    def report(self) -> tuple[int, int, bool]:
        """Slots, how many of them are busy, and whether no more runs are taken."""
        return self._slots, self._busy, self._stopping

    def ring(self, runs: Iterable[UUID]) -> None:
        """These runs may be ready."""
        with self._changed:
            if self._busy < self._slots:
                self._rung |= dict.fromkeys(runs)
            # Without room nobody remembers which: whatever is ready is taken by itself.
            self._looks = True
            self._changed.notify_all()

    def stop(self, patience: float) -> bool:
        """Take no more; wait for the runs that are being worked on to come to a halt. False if some have not.

        It does so once, whoever asks again.
        """
        if self._drained is not None:
            return self._drained
        keeper.is_draining = True
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(patience)
        log.info("takes no more runs", busy=self._busy)
        with self._changed:
            self._changed.wait_for(lambda: not self._busy or self._hurries, patience)
            drained = self._drained = not self._busy
        if drained:
            self._presence.stop()
        # Else its lock is there for as long as the process: the others miss it at once, and take over what it leaves.
        for _ in self._threads:
            self._tasks.put(None)
        return drained

    def hurry(self) -> None:
        """Wait for nothing any more."""
        with self._changed:
            self._hurries = True
            self._changed.notify_all()

    def _dispatch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or (self._looks and self._busy < self._slots), _ANYWAY)
                if self._stopping:
                    return
                if (free := self._slots - self._busy) <= 0:
                    continue
                rung = list(self._rung)[:free]
                for run in rung:
                    del self._rung[run]
                self._looks = bool(self._rung)
            try:
                taken = take(keeper.worker, settings.RUN_LEASE_SECONDS, rung, free - len(rung))
            except Exception as error:  # noqa: BLE001 - whatever happens, this thread must go on
                log.warning("no runs taken", error=type(error).__name__)
                with self._changed:
                    self._rung |= dict.fromkeys(rung)
                    self._looks = True
                    self._changed.wait_for(lambda: self._stopping, _AGAIN)
                continue
            with self._changed:
                self._busy += len(taken)
                # As many as there was room for: there may be more.
                self._looks |= len(taken) == free
            for one in taken:
                # From now on, not only when its thread has its turn: the lease is short.
                keeper.moved(one.lease)
                self._tasks.put(one)

    def _serve(self) -> None:
        while (taken := self._tasks.get()) is not None:
            self._work(taken)

    def _work(self, taken: Taken) -> None:
        """Work on a run, and on those that were taken in its place."""
        following: Taken | None = taken
        while following is not None:
            following = self._work_on(following)
        with self._changed:
            self._busy -= 1
            # Others that crashed may have waited for it.
            self._looks |= taken.lease.crashes > 0
            self._changed.notify_all()

    def _work_on(self, taken: Taken) -> Taken | None:
        following = None
        try:
            bells, following = work_on(taken, lambda: not self._stopping)
            self._wake(bells)
        except Exception:
            log.exception("run not worked on", run=str(taken.run.id))
        finally:
            connections.close_all()
        return following


_lock = threading.Lock()
_runners: list[Runner] = []


def runner(wake: Callable[[Iterable[UUID]], None]) -> Runner:
    """The runner of this process, begun at the first bell, and so after a fork."""
    with _lock:
        if not _runners:
            made = Runner(wake, settings.RUN_SLOTS)
            made.start()
            _runners.append(made)
        return _runners[0]


def stop_runner(patience: float) -> bool:
    """End the runner of this process, if there is one; false if runs were still being worked on.

    Without patience, whoever else is ending it waits no longer either.
    """
    if not patience:
        for one in _runners:
            one.hurry()
    with _lock:
        stopped = [one.stop(patience) for one in _runners]
        return all(stopped)
