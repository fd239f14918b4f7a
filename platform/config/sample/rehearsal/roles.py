"""Which part the model plays: its instructions say so."""

from collections.abc import Callable

from config.sample.rehearsal import evidence, triage, writer
from config.sample.rehearsal.answer import Answer
from config.sample.rehearsal.conversation import Conversation

# In this order, because the instructions of the triage agent speak of the other two as well.
ROLES: tuple[tuple[str, Callable[[Conversation], Answer]], ...] = (
    ("you are the triage agent", triage.play),
    ("you are the evidence checker", evidence.play),
    ("you are the reply writer", writer.play),
)
STRANGER = (
    "This is the rehearsal model. It plays the three agents of the refund desk by plain rules and has no part for "
    "these instructions. To have them followed, give the agent a real language model."
)


def play(conversation: Conversation) -> Answer:
    """The answer of the part that the instructions name."""
    instructions = " ".join(conversation.instructions.casefold().split())
    for words, part in ROLES:
        if words in instructions:
            return part(conversation).within(conversation.max_output_tokens)
    return Answer(STRANGER).within(conversation.max_output_tokens)
