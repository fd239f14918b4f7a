"""`remit.save_file` and `remit.read_file`: text files of the session."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agents.labels import Label, join
from agents.runs import files
from agents.runs.builtins.port import Done
from agents.runs.journal import ENGINE
from agents.runs.models import Artifact, StepState
from agents.tools.port import ToolEffect
from foundation.batches import Cursor

if TYPE_CHECKING:
    from agents.runs.journal import StepRow
    from agents.runs.models import Step
    from agents.runs.work import Work

MOST_CHARACTERS = 30_000  # of a file's text that one call reads


class SaveFile:
    """Save text as a file of the session. It is as doubtful and as secret as all that the session has seen."""

    name = "remit.save_file"
    description = "Save text as a file of this session. A file of the same name is replaced."
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The file's name, such as report.md."},
            "text": {"type": "string", "description": "Its whole content."},
            "media_type": {"type": "string", "description": "Such as text/markdown; text/plain if left out."},
        },
        "required": ["name", "text"],
        "additionalProperties": False,
    }
    effect = ToolEffect.IDEMPOTENT

    def problem(self, work: "Work", arguments: Mapping[str, Any]) -> str:  # noqa: ARG002 - the port's
        """A name that no file can have."""
        return files.name_problem(arguments["name"])

    def begin(self, cursor: Cursor, work: "Work", step: "StepRow") -> Done:
        """Write it, in the transaction of the step."""
        content, label = step.input["text"].encode(), Label.from_json(step.label)
        if problem := files.room_problem(cursor, work.session.id, len(content)):
            return Done(state=StepState.FAILED, error=problem, label=label)
        identifier, digest = files.keep(
            cursor, organisation=work.run.organisation_id, session=work.session.id, run=work.run.id,
            name=step.input["name"], media_type=files.checked_type(step.input.get("media_type", "text/plain")),
            content=content, label=label,
        )  # fmt: skip
        output = {"name": step.input["name"], "file": str(identifier), "size": len(content), "digest": digest}
        return Done(output=output, label=label)

    def look(self, cursor: Cursor, work: "Work", step: "Step") -> Done:
        """It never waits."""
        raise NotImplementedError(self.name)


class ReadFile:
    """Read a text file of the session, or list the files."""

    name = "remit.read_file"
    description = (
        f"Read a text file of this session, {MOST_CHARACTERS} characters at a time; without a name, list the files."
    )
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The file's name; leave it out to list the files."},
            "offset": {"type": "integer", "minimum": 0, "description": "The character to begin with; 0 if left out."},
        },
        "additionalProperties": False,
    }
    effect = ToolEffect.READ

    def problem(self, work: "Work", arguments: Mapping[str, Any]) -> str:  # noqa: ARG002 - the port's
        """None: what is not there is told when it is read."""
        return ""

    def begin(self, cursor: Cursor, work: "Work", step: "StepRow") -> Done:  # noqa: ARG002 - the port's
        """The text, with the label that the file has."""
        known, name = files.newest(work.session.id, ENGINE), step.input.get("name", "")
        every = join(Label.from_json(one.label) for one in known.values())
        if not name:
            shown = [{"name": one.name, "size": one.blob.size, "media_type": one.media_type} for one in known.values()]
            return Done(output={"files": shown}, label=every)
        if name not in known:
            error = f"There is no file {name}. Files: {', '.join(sorted(known)) or 'none'}."
            return Done(state=StepState.FAILED, error=error, label=every)
        return _read(known[name], int(step.input.get("offset", 0)))

    def look(self, cursor: Cursor, work: "Work", step: "Step") -> Done:
        """It never waits."""
        raise NotImplementedError(self.name)


def _read(file: Artifact, offset: int) -> Done:
    label = Label.from_json(file.label)
    try:
        text = files.content_of(file, ENGINE).decode()
    except UnicodeDecodeError:
        return Done(state=StepState.FAILED, error=f"The file {file.name} is no text in UTF-8.", label=label)
    if "\x00" in text:
        return Done(state=StepState.FAILED, error=f"The file {file.name} is no text.", label=label)
    part = text[offset : offset + MOST_CHARACTERS]
    output = {"name": file.name, "text": part, "offset": offset, "characters": len(text)}
    return Done(output=output, label=label)
