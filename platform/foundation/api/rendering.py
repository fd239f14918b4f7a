"""Answers as JSON. What a caller sent may come back in an error, so the answer must survive whatever that holds."""

import json
from typing import Any

from rest_framework.renderers import JSONRenderer

from foundation.audit.plain import plain


class PlainRenderer(JSONRenderer):
    """JSON in UTF-8. Text that has no such form (half of a surrogate pair, which JSON can send) is replaced."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """The bytes of `data`."""
        try:
            return super().render(data, accepted_media_type, renderer_context)
        except UnicodeEncodeError:
            # Through JSON once: what the encoder knows to write, `plain` need not know.
            values = json.loads(json.dumps(data, cls=self.encoder_class))
            return super().render(plain(values, fractions=True), accepted_media_type, renderer_context)
