"""Bodies as the API shows them: each field asks what its caller reads of the run that its row belongs to."""

from collections.abc import Collection, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet

from agents.runs.bodies import Reading, read_runs, read_session, read_turns
from agents.runs.event_kinds import EVENT_FACTS
from agents.runs.models import Run, Session
from foundation.access.roles import Permission
from foundation.access.withheld import Withheld
from foundation.actors import Actor
from foundation.api.viewsets import Endpoints
from foundation.api.withheld import WithheldField


class Readings:
    """What one caller reads of the runs of one answer. Those of a page are asked for together."""

    def __init__(self, actor: Actor, other: Permission | None = None) -> None:
        self._actor, self._other = actor, other
        self._known: dict[UUID, Reading] = {}

    def load(self, runs: Collection[UUID], *, session: Session | None = None) -> None:
        """Ask for these runs at once; if they are those of one session, it is the session that is read."""
        wanted = {*runs} - {*self._known}
        if wanted and session is not None:
            self._known |= read_turns(self._actor, session, wanted)
        elif wanted:
            self._known |= read_runs(self._actor, wanted, self._other)

    def of_session(self, session: Session) -> Reading:
        """What is read of all that a session keeps."""
        return read_session(self._actor, session)

    def of(self, run: UUID) -> Reading:
        """What is read of one run."""
        self.load([run])
        return self._known[run]


class BodyEndpoints(Endpoints):
    """Endpoints whose answers hold bodies.

    `other` is the permission that opens what somebody is asked; `mixes_runs`: the rows of its list belong to many runs.
    """

    other: ClassVar[Permission | None] = None
    mixes_runs: ClassVar[bool] = False

    @property
    def readings(self) -> Readings:
        """Those of this request."""
        if not hasattr(self, "_readings"):
            self._readings = Readings(self.actor, self.other)
        return self._readings

    def get_serializer_context(self) -> dict[str, Any]:
        """The fields below find them here."""
        return {**super().get_serializer_context(), "readings": self.readings}

    def paginate_queryset(self, queryset: QuerySet[Any] | Sequence[Any]) -> Any:
        """The rows of a page, with what is read of their runs."""
        page = super().paginate_queryset(queryset)
        if page and self.mixes_runs:
            self.readings.load({run_of(row) for row in page})
        return page


def run_of(row: Any) -> UUID:
    """The run that a row belongs to."""
    if isinstance(row, Run):
        return row.pk
    found: UUID = row.run_id if hasattr(row, "run_id") else row.run
    return found


class BodyField(WithheldField):
    """Any body of a run: the row's value of this name, for auditors."""

    def reading(self, row: Any) -> Reading:
        """What is read of the row's run."""
        found: Reading = self.context["readings"].of(run_of(row))
        return found

    def shown(self, row: Any) -> Any:
        """As the module of bodies says."""
        return self.read(self.reading(row), getattr(row, str(self.field_name)))

    def read(self, reading: Reading, value: Any) -> Any:
        """What this reader is shown of a value."""
        return reading.payload(value)


class InputField(BodyField):
    """What came into a run: also for whoever started it."""

    def read(self, reading: Reading, value: Any) -> Any:
        """What this reader is shown."""
        return reading.input(value)


class AnswerField(BodyField):
    """What a run answered: also for whoever started it."""

    def read(self, reading: Reading, value: Any) -> Any:
        """What this reader is shown."""
        return reading.answer(value)


class AskedField(BodyField):
    """What somebody is asked: also for whoever may answer."""

    def read(self, reading: Reading, value: Any) -> Any:
        """What this reader is shown."""
        return reading.asked(value)


class ErrorField(BodyField):
    """Why a step went wrong."""

    def shown(self, row: Any) -> Any:
        """The tool's own words are a body."""
        return self.reading(row).error(row)


class EventField(BodyField):
    """What is streamed: each value by itself. Facts alone are nothing that anybody reads as an auditor."""

    def shown(self, row: Any) -> Any:
        """The data of the event."""
        if EVENT_FACTS.issuperset(row.data):
            return row.data
        return {name: told(value) for name, value in self.reading(row).event(row.data).items()}


class ItemField(BodyField):
    """The content of a session's item; what came into a run also for whoever started it."""

    def shown(self, row: Any) -> Any:
        """Whatever its kind."""
        reading = self.reading(row)
        return reading.input(row.content) if row.is_input else reading.payload(row.content)


class MemoryField(BodyField):
    """The working memory of a session: names and labels, and the values."""

    def shown(self, row: Any) -> Any:
        """Each value by itself."""
        if not row.memory:
            return row.memory
        reading = self.context["readings"].of_session(row)
        return {name: {**kept, "value": told(reading.payload(kept.get("value")))} for name, kept in row.memory.items()}


def told(value: Any) -> Any:
    """A part of a body as JSON."""
    return value.as_json() if isinstance(value, Withheld) else value
