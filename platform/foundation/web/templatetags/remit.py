"""`{% load remit %}`: the components as template tags. What each does stands with its function."""

from typing import Any

from django import template
from django.forms import BaseForm, BoundField
from django.template.context import Context

from foundation.web.components import blocks, charts, controls, marks, markup, payloads, quantities, states, steps
from foundation.web.waterfall import MORE, Span, Waterfall

register = template.Library()

MANY_ROWS = 100  # from here on the browser draws only what is in sight

for _part in (
    markup.icon,
    states.pill, states.state_icon, states.outcome, states.dot, states.live, states.risk,
    marks.agent_mark, marks.person_mark, marks.hexed, marks.actor_mark, marks.copy_id, marks.copy_text,
    quantities.ago, quantities.at, quantities.until, quantities.duration, quantities.money,
    controls.button, controls.tabs,
    charts.sparkline, charts.meter, charts.split_bar, charts.stacked_bars,
    payloads.payload, payloads.words_of, payloads.sentence, payloads.diff,
):  # fmt: skip
    register.simple_tag(_part)

for _context_part in (controls.address, controls.facet, controls.segmented):
    register.simple_tag(_context_part, takes_context=True)

for _block in (blocks.card, blocks.figures, blocks.figure, blocks.banner, blocks.toast, blocks.empty, blocks.table_box):
    register.simple_block_tag(_block)
register.simple_block_tag(blocks.confirm, takes_context=True)

register.simple_tag(marks.short_id, name="short")
register.filter("count", quantities.count)
register.filter("seconds", quantities.seconds)
register.filter("visible", markup.visible)
register.filter("look", states.look)


@register.inclusion_tag("foundation/field.html")
def field(bound: BoundField, *, alone: bool = False) -> dict[str, Any]:
    """A form's field: label above, help and errors below, tied to it for readers' software.

    `alone`: it is what the form asks, though something that no field shows may come instead.
    """
    kind = getattr(bound.field.widget, "input_type", "")
    is_optional = not (bound.field.required or alone)
    return {"field": bound, "is_check": kind == "checkbox" and not bound.use_fieldset, "is_optional": is_optional}


@register.inclusion_tag("foundation/error_summary.html")
def error_summary(form: BaseForm) -> dict[str, Any]:
    """All that is to be fixed in a form, each line a link to its field. Takes the focus when the page opens."""
    fields = [(bound, error) for bound in form for error in bound.errors]
    return {"fields": fields, "others": form.non_field_errors(), "total": len(fields) + len(form.non_field_errors())}


def _led(span: Span) -> dict[str, str]:
    return {"before": span.key, "step": ""} if span.kind == MORE else {"step": span.key}


@register.inclusion_tag("foundation/waterfall.html", takes_context=True)
def waterfall(context: Context, plan: Waterfall, selected: str = "", target: str = "#inspector") -> dict[str, Any]:
    """A run's steps on their axis. Each row links to `?step=<key>` and loads the inspector into `target`.

    Those that stand for steps that are not drawn lead to a page that draws them: `?before=<key>`.
    """
    rows = [
        (row, steps.step_look(row.span.kind, row.span.state), controls.address(context, **_led(row.span)))
        for row in plan.rows
    ]
    return {"plan": plan, "rows": rows, "selected": selected, "target": target, "many": len(rows) > MANY_ROWS}
