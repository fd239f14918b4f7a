"""Why a connection was not made or an answer not taken; each is one line that may be shown."""

import httpx2


class OutboundRefusedError(httpx2.ConnectError):
    """This request was not sent: its address is not allowed. (An earlier one of a redirect may have been.)"""


class OutboundLimitError(httpx2.ReadError):
    """The request was sent, but the answer is larger than allowed, or in a form that is not taken."""
