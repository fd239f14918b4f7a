"""What is pressed or chosen: buttons, segmented filters, tabs."""

from collections.abc import Iterable
from typing import NamedTuple

from django.http import QueryDict
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from foundation.web.components.markup import NOTHING, attributes, icon, join


class Choice(NamedTuple):
    """One choice of a segmented filter: its value in the address, its word, how many it would show."""

    value: str
    label: str
    number: int | None = None
    tone: str = ""


class Tab(NamedTuple):
    """One tab: a page of its own with an address of its own."""

    url: str
    label: str
    number: int | None = None
    current: bool = False


def button(
    label: str,
    kind: str = "",
    icon_name: str = "",
    *,
    href: str = "",
    why_not: str = "",
    about: str = "",
    **more: object,
) -> SafeString:
    """A button, or a link that looks like one when it has `href`. Kinds: "" (default), ink, danger, bare, only.

    With `only` the label is for readers' software. With `why_not` it is shown disabled and says the reason.
    `about` tells readers' software which of many it is. `more` are attributes, underscores for dashes.
    """
    which = format_html('<span class="vh"> {}</span>', about) if about else NOTHING
    inside = join([icon(icon_name) if icon_name else NOTHING, _label(label, kind), which])
    classes = f"button {kind}".strip()
    tip = {"data_tip": label} if "only" in kind.split() and not why_not else {}
    if why_not:
        refused = attributes({"aria_disabled": "true", "data_tip": why_not})
        reason = format_html('<span class="vh"> ({})</span>', why_not)
        return format_html('<button type="button" class="{}"{}>{}{}</button>', classes, refused, inside, reason)
    if href:
        return format_html('<a class="{}" href="{}"{}>{}</a>', classes, href, attributes(tip | more), inside)
    return format_html('<button class="{}"{}>{}</button>', classes, attributes({"type": "submit"} | tip | more), inside)


def _label(label: str, kind: str) -> SafeString:
    return format_html('<span class="vh">{}</span>' if "only" in kind.split() else "{}", label)


def address(context: Context, **changes: str | None) -> str:
    """This page's address with some parameters changed (None or "" removes); always back on the first page."""
    request = context.get("request")
    query: QueryDict = request.GET.copy() if request is not None else QueryDict(mutable=True)
    for key in ("before", "after", "format", "part"):
        query.pop(key, None)
    for key, value in changes.items():
        if value:
            query[key] = value
        else:
            query.pop(key, None)
    path = request.path if request is not None else ""
    return f"{path}?{query.urlencode()}" if query else path or "?"


def facet(context: Context, name: str, value: str) -> str:
    """This page's address with one parameter set, for a link that narrows a list ("" widens it again)."""
    return address(context, **{name: value})


def segmented(context: Context, name: str, choices: Iterable[Choice], label: str, **more: object) -> SafeString:
    """A filter with few values, each a link that keeps the other parameters. The first value "" means all."""
    request = context.get("request")
    chosen = request.GET.get(name, "") if request is not None else ""
    extra = attributes(more)
    links = [
        format_html(
            '<a href="{}" class="{}"{}{}>{}{}</a>',
            address(context, **{name: choice.value}), choice.tone,
            attributes({"aria_current": "true" if choice.value == chosen else None}), extra,
            choice.label, "" if choice.number is None else f" {choice.number:,}",
        )
        for choice in (Choice(*one) for one in choices)
    ]  # fmt: skip
    return format_html('<nav class="segmented" aria-label="{}">{}</nav>', label, join(links))


def tabs(items: Iterable[Tab], label: str) -> SafeString:
    """The pages of one object."""
    links = [
        format_html(
            '<a href="{}"{}>{}{}</a>',
            tab.url, attributes({"aria_current": "page" if tab.current else None}), tab.label,
            NOTHING if tab.number is None else format_html('<span class="count plain">{}</span>', tab.number),
        )
        for tab in (Tab(*one) for one in items)
    ]  # fmt: skip
    return format_html('<nav class="tabs" aria-label="{}">{}</nav>', label, join(links))
