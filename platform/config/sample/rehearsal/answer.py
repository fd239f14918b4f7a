"""What the model answers: a text, or function calls; and what that costs in tokens."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from config.sample.rehearsal.conversation import Conversation

BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Wish:
    """A tool that the model wants to be called."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def json(self) -> str:
        """The arguments as they travel."""
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Either `text` or `wishes`; `cut` when the limit of output tokens ended it."""

    text: str = ""
    wishes: tuple[Wish, ...] = ()
    cut: bool = False

    @property
    def tokens(self) -> int:
        """The tokens of the answer, at least one."""
        return tokens(len(self.text.encode()) + sum(len(wish.name) + len(wish.json.encode()) for wish in self.wishes))

    def within(self, limit: int | None) -> "Answer":
        """The answer as far as the limit lets it go; calls that do not fit are not made."""
        if limit is None or self.tokens <= limit:
            return self
        text = self.text.encode()[: limit * BYTES_PER_TOKEN].decode(errors="ignore")
        return replace(self, text=text, wishes=(), cut=True)


def tokens(size: int) -> int:
    """Tokens for so many bytes: a fixed share, so that every count can be foretold."""
    return max(1, -(-size // BYTES_PER_TOKEN))


def identifier(conversation: Conversation, prefix: str, index: int = 0) -> str:
    """An id that the same request always gets."""
    seed = f"{conversation.digest}:{prefix}:{index}"
    return f"{prefix}_{hashlib.sha256(seed.encode()).hexdigest()[:32]}"
