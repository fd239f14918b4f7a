"""What a replay is given in the place of models, tools, people and children: what the run that it replays was given.

A replay goes through the engine's own moves and through the gate. Only where a run would call out, its player answers.
It is found anew from the two journals whenever a worker takes the replay, so that any worker comes to the same answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agents.catalogue.inference import InferenceError
from agents.catalogue.messages import ModelAnswer
from agents.gate import APPROVED, Action, ActionKind
from agents.labels import Label
from agents.runs.journal import ENGINE, StepRow
from agents.runs.models import Relation, Run, RunState, Step, StepKind, StepState
from agents.runs.moves import DELEGATE, AskModel, Await, DoCall, Finish, Move, Stop
from agents.runs.traces import CALLS, effective
from agents.runs.window import is_compaction, is_lost_compaction
from foundation.digests import canonical

if TYPE_CHECKING:
    from agents.runs.work import Work

_NEVER_MADE = "In a replay no tool is called, and the run that is replayed never made this call: leave it out."
_NEVER_ASKED = "In a replay nobody is asked, and in the run that is replayed nobody was asked this."
_STATES_OF_THE_WORLD = {"budget", "approval", "definition"}  # causes of refusals that no policy decided


@dataclass(frozen=True, slots=True)
class Player:
    """The recording. `plays_model`: the model's answers are played too; otherwise another version's model is called.

    With its model played, a replay asks for just what its former asked for: a call is found by the answer that it
    stands in and its id there. Otherwise it is found by its name and arguments, each time the next of its kind.
    `was_delegated`: whoever delegated to it waited for its answer.
    """

    former: Run
    steps: tuple[Step, ...]
    plays_model: bool
    was_delegated: bool = False

    def answer(self, steps: Sequence[Step]) -> ModelAnswer:
        """What the model said. Raises InferenceError as it failed then."""
        step = self._model(steps)
        if step is None:
            raise InferenceError("The run that is replayed has no further answer.", again=False, billed=False)
        if step.state != StepState.SUCCEEDED:
            raise InferenceError(step.error, again=False, billed=False)
        return ModelAnswer(
            items=tuple((step.output or {}).get("items", [])), input_tokens=step.usage.get("input_tokens"),
            output_tokens=step.usage.get("output_tokens"),
        )  # fmt: skip

    def asked(self, steps: Sequence[Step]) -> Step | None:
        """The call of the model that is played next; None if there is none, or the model is really called."""
        return self._model(steps) if self.plays_model else None

    def outcome(self, steps: Sequence[Step], name: str, arguments: Mapping[str, Any], call_id: str) -> Step | None:
        """The step that holds what came of this call, or None if it was never made."""
        return self._matching(steps, name, arguments, call_id, CALLS)

    def judged(self, action: Action, steps: Sequence[Step], name: str, call_id: str) -> Action:
        """The act as the gate is to judge it: nothing leaves, nothing is paid, and people have answered already."""
        if action.kind is ActionKind.RUN_START or (action.kind is ActionKind.MODEL_CALL and not self.plays_model):
            return action
        return replace(
            action, stubbed=True, estimate=0, problem=self._problem(action, steps, name, call_id),
            answered=self._answered(action, steps, name, call_id),
        )  # fmt: skip

    def end(self, steps: Sequence[Step], move: Move) -> tuple[RunState, str, Any] | None:
        """How the replay ends where its recording does; None while there is more."""
        if isinstance(move, Finish | Stop):
            return None
        if self._was_last(steps):
            return RunState.SUCCEEDED, "", self.former.output
        if not self._has(steps, move):
            said = f"The recording ends here: the run that is replayed is {self.former.state}. {self.former.failure}"
            return RunState.FAILED, said.strip(), None
        return None

    def heard(self, steps: Sequence[Step], move: Move, label: Label) -> Label:
        """The label before a move. Children of one answer were begun before any of them was heard.

        What the former was shown of its session's memory, or heard of a call in doubt, stands in its next step's label.
        """
        label = label.join(*self._shown(steps, move))
        if isinstance(move, DoCall) and move.call["name"].startswith(DELEGATE):
            return label
        return label.join(*(Label.from_json(step.label) for step in steps if step.kind == StepKind.DELEGATION))

    def _shown(self, steps: Sequence[Step], move: Move) -> list[Label]:
        found = None
        if isinstance(move, AskModel):
            found = self.asked(steps)
        elif isinstance(move, DoCall) and self.plays_model:
            found = self._matching(steps, "", {}, move.call["call_id"], frozenset({StepKind.DECISION_WAIT}))
        return [] if found is None or is_compaction(found) else [Label.from_json(found.label)]

    def spent(self, steps: Sequence[Step]) -> int:
        """What the former run had spent when it was here; the last answer is booked with the act that follows it."""
        if not self.plays_model:
            return 0
        played = _answers(steps)
        booked = played - 1 if played and steps[-1].kind == StepKind.MODEL_CALL else played
        return sum(step.cost for step in self._models[:booked])

    @property
    def _models(self) -> list[Step]:
        return [step for step in self.steps if step.kind == StepKind.MODEL_CALL]

    def _model(self, steps: Sequence[Step]) -> Step | None:
        models, turn = self._models, _answers(steps)
        return models[turn] if turn < len(models) else None

    def _matching(
        self, steps: Sequence[Step], name: str, arguments: Mapping[str, Any], call_id: str, kinds: frozenset[StepKind]
    ) -> Step | None:
        if self.plays_model:
            here = [step for step in self.steps if step.call_id == call_id and step.kind in kinds]
            turn = _answers(steps)
            return next((step for step in here if _turn(self.steps, step) == turn), None)
        key = _key(name, arguments)
        found = [step for step in self.steps if step.kind in kinds and _key(step.name, step.input) == key]
        before = sum(1 for step in effective(steps) if step.kind in kinds and _key(step.name, step.input) == key
                     and step.state != StepState.WAITING)  # fmt: skip
        return found[min(before, len(found) - 1)] if found else None

    def _problem(self, action: Action, steps: Sequence[Step], name: str, call_id: str) -> str:
        if action.kind is ActionKind.MODEL_CALL:
            recorded = self._model(steps)
        else:
            recorded = self.outcome(steps, name, action.arguments, call_id)
            if recorded is None and not action.problem and not self._asked(action, steps, name, call_id):
                return _NEVER_MADE
        if recorded is None:
            return action.problem
        if recorded.state == StepState.REFUSED:
            then = recorded.verdict.get("cause") in _STATES_OF_THE_WORLD
            return recorded.error if then and not self._asked(action, steps, name, call_id) else action.problem
        # What a built-in minds of the rows of its session is not to be minded again: its rows are not there.
        return "" if name.startswith("remit.") and action.target_version else action.problem

    def _asked(self, action: Action, steps: Sequence[Step], name: str, call_id: str) -> Step | None:
        return self._matching(steps, name, action.arguments, call_id, frozenset({StepKind.DECISION_WAIT}))

    def _answered(self, action: Action, steps: Sequence[Step], name: str, call_id: str) -> str:
        if not steps or steps[-1].state != StepState.WAITING:
            return ""
        asked = self._asked(action, steps, name, call_id)
        if asked is None:
            return _NEVER_ASKED
        return APPROVED if asked.state == StepState.SUCCEEDED else asked.error

    def _was_last(self, steps: Sequence[Step]) -> bool:
        """Whether the call just made is the one that ended the former run, as a hand-over does."""
        if self.former.state != RunState.SUCCEEDED or not steps or not self.steps:
            return False
        last, mine = self.steps[-1], steps[-1]
        same = _key(mine.name, mine.input) == _key(last.name, last.input)
        return last.kind in CALLS and mine.kind in CALLS and mine.state == StepState.SUCCEEDED and same

    def _has(self, steps: Sequence[Step], move: Move) -> bool:
        match move:
            case Await():
                return False
            case AskModel() if self.plays_model:
                return self._model(steps) is not None or (move.wait is None and self._is_wait(steps, ""))
            case DoCall() if self.plays_model:
                call = move.call["call_id"]
                made = self._matching(steps, "", {}, call, CALLS)
                return made is not None or (move.wait is None and self._is_wait(steps, call))
        return True

    def _is_wait(self, steps: Sequence[Step], call_id: str) -> bool:
        return self._matching(steps, "", {}, call_id, frozenset({StepKind.DECISION_WAIT})) is not None


def player_of(run: Run) -> Player | None:
    """The player of a replay; None for a run that does things."""
    if not run.stubs_tools:
        return None
    if run.former_id is None:
        raise ValueError("A replay of nothing: its tools must not be called, and there is no recording.")
    former = Run.objects.using(ENGINE).get(pk=run.former_id)
    steps = Step.objects.using(ENGINE).filter(run_id=former.id).order_by("number")
    return Player(former, tuple(effective(list(steps))), run.former_step > 0, _original(former).parent_id is not None)


def _original(run: Run) -> Run:
    """The run that a replay, or a replay of a replay, is one of."""
    while run.relation == Relation.REPLAY and run.former_id is not None:
        run = Run.objects.using(ENGINE).only("former_id", "relation", "parent_id").get(pk=run.former_id)
    return run


def stubbed(work: "Work", action: Action, step: StepRow | None) -> Action:
    """An act of a replay as the gate is to judge it; any other as it is."""
    if work.player is None or step is None:
        return action
    return work.player.judged(action, work.steps, step.name, step.call_id)


def _answers(steps: Sequence[Step]) -> int:
    made = [step for step in steps if step.kind == StepKind.MODEL_CALL]
    return sum(1 for step in made if step.state == StepState.SUCCEEDED or is_lost_compaction(step))


def _turn(steps: Sequence[Step], until: Step) -> int:
    return _answers([step for step in steps if step.number < until.number])


def _key(name: str, arguments: Mapping[str, Any]) -> tuple[str, bytes]:
    try:
        return name, canonical(dict(arguments))
    except ValueError:
        return name, repr(arguments).encode()
