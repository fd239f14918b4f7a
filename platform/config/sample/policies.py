"""The Cedar policies of the sample organisation, as text."""

MAY = """\
// What each agent of the refund desk may do. Anything not listed is refused.

@id("refund-desk-starts")
@description("The agents of the refund desk may start runs.")
permit (principal, action == Action::"run_start", resource)
when { resource in Team::"refund-desk" };

@id("refund-desk-thinks")
@description("They may call the two models that were bought for them.")
permit (principal, action == Action::"model_call", resource)
when {
    principal in Team::"refund-desk" &&
    (resource == Model::"rehearsal-large" || resource == Model::"rehearsal-small")
};

@id("triage-delegates-evidence")
permit (principal == Agent::"triage", action == Action::"delegation", resource == Agent::"evidence-checker");

@id("triage-delegates-replies")
permit (principal == Agent::"triage", action == Action::"delegation", resource == Agent::"reply-writer");

@id("triage-reads")
@description("Triage may read orders and the refund policy.")
permit (principal == Agent::"triage", action == Action::"tool_call", resource)
when { resource in Connector::"orders" || resource in Connector::"policy" };

@id("triage-pays-and-writes")
@description("Triage may use payments and mail, as far as other policies let it.")
permit (principal == Agent::"triage", action == Action::"tool_call", resource)
when { resource in Connector::"payments" || resource in Connector::"mail" };

@id("evidence-checker-reads-parcels")
permit (
    principal == Agent::"evidence-checker", action == Action::"tool_call", resource == Tool::"orders.find_parcel"
);
"""

LARGE_REFUNDS = """\
// Above 500 EUR a person is asked, as the refund policy says.

@id("large-refund")
@description("A refund of more than 500 EUR needs a person's approval.")
@ask("May I refund {amount_cents:hundredths} {currency} for order {order}?")
@approvers("operator")
@quorum("1")
@expires("24h")
@risk("high")
forbid (principal, action == Action::"tool_call", resource == Tool::"payments.refund")
when { context.args.amount_cents > 50000 }
unless { context.approved };

@id("euro-only")
@description("The limit is in euro cents, so that another currency cannot pass under it.")
forbid (principal, action == Action::"tool_call", resource == Tool::"payments.refund")
unless { context.args.currency == "EUR" };

@id("few-refunds")
@description("One mail, one refund; a second try after a failure is the last.")
forbid (principal, action == Action::"tool_call", resource == Tool::"payments.refund")
when { context.history.target_calls >= 2 };
"""

PAYOUTS = """\
// Money leaves to an account only if the account itself came from a trusted source, such as the supplier directory.
// An account that stands in a mail never does, whatever the mail says.

@id("trusted-accounts-only")
@description("A payout goes only to an account that came from a trusted source, never from a mail.")
forbid (principal, action == Action::"tool_call", resource == Tool::"payments.payout")
unless { context.provenance.account.integrity == "trusted" };
"""
