"""Parts that hold other parts: card, figure, banner, toast, empty state, scrolling table box."""

from django.template.context import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from foundation.web.components.controls import button
from foundation.web.components.markup import NOTHING, icon

LEVELS = {"success": "ok", "warning": "warn", "error": "bad", "debug": "info"}  # Django's names of messages
BANNER_ICONS = {"bad": "circle-alert", "warn": "triangle-alert", "ok": "circle-check", "wait": "hand", "info": "info"}


def card(
    content: SafeString, title: str, icon_name: str = "", link: str = "", href: str = "", *, flush: bool = False
) -> SafeString:
    """A card with a heading. `flush` lets rows or a table touch its edges; `link` and `href` lead to the whole."""
    more = format_html('<a class="push" href="{}">{}</a>', href, link) if href else NOTHING
    body = content if flush else format_html('<div class="card-body">{}</div>', content)
    return format_html(
        '<section class="card"><div class="card-head">{}<h2>{}</h2>{}</div>{}</section>',
        icon(icon_name) if icon_name else NOTHING, title, more, body,
    )  # fmt: skip


def figures(content: SafeString, label: str = "Figures") -> SafeString:
    """A strip of figures in one frame."""
    return format_html('<div class="figures" role="group" tabindex="0" aria-label="{}">{}</div>', label, content)


def figure(content: SafeString, name: str, value: object, note: object = "", tone: str = "") -> SafeString:
    """One figure: its name, its value, what to make of it; the block may hold a sparkline."""
    return format_html(
        '<div class="figure"><span class="name">{}</span><span class="value">{}</span>'
        '<span class="note {}">{}</span>{}</div>',
        name, value, tone, note, content,
    )  # fmt: skip


def banner(content: SafeString, tone: str = "info") -> SafeString:
    """A message about the whole page; it holds one paragraph and, if need be, one button."""
    return format_html(
        '<div class="banner {}" role="{}">{}{}</div>',
        tone, "alert" if tone == "bad" else "status", icon(BANNER_ICONS.get(tone, "info")), content,
    )  # fmt: skip


def toast(content: SafeString, tone: str = "ok") -> SafeString:
    """What has just been done, with a link to it; it stands until dismissed."""
    tone = LEVELS.get(tone, tone)
    return format_html(
        '<div class="toast {}">{}<span class="grow">{}</span>'
        '<button type="button" class="button bare only" data-dismiss><span class="vh">Dismiss</span>{}</button></div>',
        tone, icon(BANNER_ICONS.get(tone, "info")), content, icon("x", "small"),
    )  # fmt: skip


def empty(content: SafeString, title: str, text: str = "", icon_name: str = "inbox") -> SafeString:
    """Nothing here: one line of fact, one line on how things get here; the block holds the one action."""
    return format_html(
        '<div class="empty"><span class="empty-icon">{}</span><p class="empty-title">{}</p><p>{}</p>{}</div>',
        icon(icon_name), title, text, content,
    )  # fmt: skip


def table_box(content: SafeString, label: str, kind: str = "") -> SafeString:
    """A box that scrolls a wide table sideways, reachable by keyboard and named."""
    return format_html(
        '<div class="table-box {}" role="group" tabindex="0" aria-label="{}">{}</div>', kind, label, content
    )


def confirm(
    context: Context,
    content: SafeString,
    anchor: str,
    action: str,
    verb: str,
    kind: str = "",
    icon_name: str = "",
    *,
    label: str = "",
    about: str = "",
    why: bool = False,
    **hidden: object,
) -> SafeString:
    """A button, and what it asks before it is done: the block says what happens and what does not come back.

    `anchor` is unique on the page, `verb` stands on the button that does it (`label` on the first one, if it differs),
    `about` tells readers' software which of many it is. With `why` it takes a reason; `hidden` is sent along.
    """
    opens = button(f"{label or verb}…", kind, icon_name, about=about, type="button", popovertarget=anchor)
    token = {"csrfmiddlewaretoken": context.get("csrf_token", "")}
    sent = format_html_join("", '<input type="hidden" name="{}" value="{}">', {**token, **hidden}.items())
    reason = NOTHING
    if why:
        reason = format_html(
            '<div class="field"><label for="{0}-why">Why <span class="optional">optional</span></label>'
            '<input id="{0}-why" name="reason" maxlength="300"></div>', anchor,
        )  # fmt: skip
    return format_html(
        '{}<form id="{}" class="menu down end" popover method="post" action="{}">{}'
        '<div class="stack"><p>{}</p>{}{}</div></form>',
        opens, anchor, action, sent, content, reason, button(verb, "danger"),
    )  # fmt: skip
