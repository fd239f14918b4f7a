"""The reply writer's part: a short mail from the lines of its task, as JSON text."""

import json
import re
from collections.abc import Mapping

from config.sample.rehearsal.answer import Answer
from config.sample.rehearsal.conversation import Conversation

_GREETINGS = (
    (re.compile(r"\b(guten|bitte|grüße|bestellung|ich)\b", re.IGNORECASE), "Guten Tag {},"),
    (re.compile(r"\b(bonjour|merci|vous|commande)\b", re.IGNORECASE), "Bonjour {},"),
)
_BODIES: Mapping[str, str] = {
    "refunded": "we have refunded {amount} for your order {order} to your original means of payment. "
    "It should reach you within a few days.",
    "declined": "we are sorry, but we cannot refund this. {reason}",
    "proof-requested": "thank you for your mail. Before we can go on we need your help: {reason}",
    "referred": "thank you for your mail. A colleague will look into your request and write to you.",
    "answered": "thank you for your questions. We deliver within Europe, all of Norway included, in 3 to 8 days, "
    "and gift cards can be bought in our shop, from 10 to 500 EUR. For anything else, a colleague will answer soon.",
}


def play(conversation: Conversation) -> Answer:
    """{"subject": …, "body": …}."""
    task = dict(re.findall(r"^([A-Z][\w ]+): *(.*)$", conversation.text, re.MULTILINE))
    customer = task.get("Customer", "").strip() or "customer"
    body = _BODIES.get(task.get("Decision", "").strip(), _BODIES["referred"]).format(
        amount=task.get("Amount", ""), order=task.get("Order", ""), reason=task.get("Reason", "")
    )
    greeting = _greeting(task.get("The customer writes", ""), customer)
    mail = {
        "subject": f"Re: {task.get('Subject of the mail', '').strip() or 'your mail to Northwind'}"[:200],
        "body": f"{greeting}\n\n{body}\n\nKind regards\nNorthwind refund desk\n",
    }
    return Answer(json.dumps(mail, ensure_ascii=False))


def _greeting(words: str, customer: str) -> str:
    return next((greeting for pattern, greeting in _GREETINGS if pattern.search(words)), "Dear {},").format(customer)
