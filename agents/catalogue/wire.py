"""Names on the wire: function names of the OpenAI API hold no dots."""

_DOT = "__"


def to_wire(name: str) -> str:
    """`payments.refund` as `payments__refund`."""
    return name.replace(".", _DOT)


def from_wire(name: str) -> str:
    """Back again."""
    return name.replace(_DOT, ".")
