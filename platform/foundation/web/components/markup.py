"""How parts write their HTML: icons, attributes, and text whose invisible characters are shown."""

import re
from collections.abc import Mapping

from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

NOTHING = SafeString("")

# C0/C1 controls except tab and line feed, zero-width characters, and the marks that reorder text: a reader
# who approves a call must see them, or "refund.exe" can look like "exe.refund".
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_FORBIDDEN_ATTRIBUTE = re.compile(r"^(on|style$|hx-on)")


def icon(name: str, extra: str = "", label: str = "") -> SafeString:
    """One symbol of the sprite. Without a label it is decoration and hidden from readers' software."""
    classes = f"icon {extra}".strip()
    place = f"{static('remit/icons.svg')}#{name}"
    if label:
        return format_html('<svg class="{}" role="img" aria-label="{}"><use href="{}"/></svg>', classes, label, place)
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}"/></svg>', classes, place)


def attributes(values: Mapping[str, object]) -> SafeString:
    """HTML attributes from keywords: `hx_get` becomes `hx-get`; None and False leave out, True stands alone.

    Raises ValueError for what the content security policy would block: `style` and handlers.
    """
    parts = []
    for key, value in values.items():
        name = key.rstrip("_").replace("_", "-")
        if _FORBIDDEN_ATTRIBUTE.match(name):
            raise ValueError(f"The attribute {name!r} is blocked by the content security policy; use a class or app.js")
        if value is True:
            parts.append(format_html(" {}", name))
        elif value is not None and value is not False:
            parts.append(format_html(' {}="{}"', name, value))
    return mark_safe("".join(parts))  # noqa: S308 - joined from format_html above


def visible(text: object) -> str:
    """The text with invisible and reordering characters written out as `\\u202e`."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found.group()):04x}", str(text))


def join(parts: list[SafeString], between: str = "") -> SafeString:
    """Safe parts one after the other."""
    return format_html_join(between, "{}", ((part,) for part in parts))
