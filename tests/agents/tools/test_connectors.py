"""Connectors and the tools that they offer, which may change under our feet."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agents.tools.models import Connector, Tool, ToolState
from agents.tools.port import ToolDefinition, ToolEffect
from agents.tools.services import (
    accept_tool,
    add_connector,
    add_credential,
    disable_tool,
    identify_calls,
    refresh_tools,
)
from foundation.errors import ConflictError, InvalidError
from foundation.secrets.sealing import unseal
from tests.agents.workshop import DOCUMENTS, Workshop, make_workshop

OBJECT = {"type": "object", "properties": {}}


class Changing:
    """A connector kind that offers whatever a test last said."""

    offers: Sequence[ToolDefinition] = ()

    def definitions(self, settings: Mapping[str, Any]) -> Sequence[ToolDefinition]:  # noqa: ARG002 - the port's
        """The present offer."""
        return self.offers


def offer(name: str = "pay", **changes: Any) -> ToolDefinition:
    """One operation."""
    values = {"description": "Pays.", "schema": OBJECT, "effect": ToolEffect.IDEMPOTENT} | changes
    return ToolDefinition(name=name, **values)


@pytest.fixture
def bank(workshop: Workshop, settings: Any) -> Connector:
    """A connector of the changing kind."""
    settings.CONNECTOR_KINDS = settings.CONNECTOR_KINDS | {"changing": f"{__name__}.Changing"}
    Changing.offers = [offer("pay"), offer("look", effect=ToolEffect.READ)]
    with workshop.open():
        return add_connector(actor=workshop.shell, slug="bank", name="Bank", kind="changing", settings={})


def tool(workshop: Workshop, name: str = "bank.pay") -> Tool:
    """A tool as it stands."""
    with workshop.open():
        return Tool.objects.get(name=name)


def refresh(workshop: Workshop, bank: Connector) -> dict[str, str]:
    """Read the offer again: the state of each tool."""
    with workshop.open():
        return {one.name: one.state for one in refresh_tools(actor=workshop.shell, connector=bank)}


def test_new_connector_brings_its_tools(workshop: Workshop, bank: Connector) -> None:
    """Whoever adds it accepts them; the record names each."""
    assert tool(workshop).state == ToolState.ACTIVE
    assert tool(workshop, "bank.look").effect == "read"
    with workshop.open():
        assert {entry.target_name for entry in workshop.entries("tool.add")} >= {"bank.pay", "bank.look"}


def test_same_offer_changes_nothing(workshop: Workshop, bank: Connector) -> None:
    """A refresh alone puts nothing in review."""
    before = tool(workshop).definition_hash
    assert refresh(workshop, bank) == {"bank.pay": "active", "bank.look": "active"}
    assert tool(workshop).definition_hash == before


@pytest.mark.parametrize("changes", [{"description": "Pays anybody."}, {"effect": ToolEffect.READ},
                                     {"schema": OBJECT | {"properties": {"to": {"type": "string"}}}}])  # fmt: skip
def test_changed_definition_is_in_review(workshop: Workshop, bank: Connector, changes: Any) -> None:
    """Until a person accepts it."""
    Changing.offers = [offer("pay", **changes), offer("look", effect=ToolEffect.READ)]
    assert refresh(workshop, bank) == {"bank.pay": "in_review", "bank.look": "active"}
    with workshop.open():
        assert accept_tool(actor=workshop.shell, tool=tool(workshop)).state == ToolState.ACTIVE
        assert workshop.entries("tool.change")
        assert workshop.entries("tool.accept")


def test_what_was_not_seen_is_not_accepted(workshop: Workshop, bank: Connector) -> None:
    """The definition changes once more between reading and accepting."""
    Changing.offers = [offer("pay", description="Harmless."), offer("look", effect=ToolEffect.READ)]
    refresh(workshop, bank)
    seen = tool(workshop)
    Changing.offers = [offer("pay", description="Harmful."), offer("look", effect=ToolEffect.READ)]
    refresh(workshop, bank)
    with workshop.open(), pytest.raises(ConflictError, match="changed once more"):
        accept_tool(actor=workshop.shell, tool=seen)


def test_new_operation_of_a_known_connector_is_in_review(workshop: Workshop, bank: Connector) -> None:
    """Nobody has accepted it yet."""
    Changing.offers = [*Changing.offers, offer("close")]
    assert refresh(workshop, bank)["bank.close"] == "in_review"


def test_vanished_tool_is_disabled_and_not_accepted(workshop: Workshop, bank: Connector) -> None:
    """Until the connector offers it again."""
    Changing.offers = [offer("look", effect=ToolEffect.READ)]
    assert refresh(workshop, bank) == {"bank.pay": "disabled", "bank.look": "active"}
    with workshop.open(), pytest.raises(ConflictError, match="no longer offers"):
        accept_tool(actor=workshop.shell, tool=tool(workshop))


def test_disabled_tool_stays_so_when_it_changes(workshop: Workshop, bank: Connector) -> None:
    """A person's word stands until a person takes it back."""
    with workshop.open():
        disable_tool(actor=workshop.shell, tool=tool(workshop))
        with pytest.raises(ConflictError):
            disable_tool(actor=workshop.shell, tool=tool(workshop))
    Changing.offers = [offer("pay", description="Other."), offer("look", effect=ToolEffect.READ)]
    assert refresh(workshop, bank)["bank.pay"] == "disabled"
    with workshop.open():
        assert accept_tool(actor=workshop.shell, tool=tool(workshop)).state == ToolState.ACTIVE


@pytest.mark.parametrize(
    "offers",
    [
        [],
        [offer("no spaces")],
        [offer("pay.now")],
        [offer("pay"), offer("PAY")],
        [offer(description=" ")],
        [offer(description="x" * 5_000)],
        [offer(schema={"type": "string"})],
        [offer(schema={"type": "object", "properties": {"a": {"type": "no such type"}}})],
        [offer(schema={"type": "object", "required": "a"})],
        [offer(schema=OBJECT | {"description": "x" * 70_000})],
        [offer(schema=OBJECT | {"default": float("nan")})],
        [offer(schema=OBJECT | {"default": 2**80})],
    ],
)
def test_strange_offers_are_refused_whole(workshop: Workshop, bank: Connector, offers: list[ToolDefinition]) -> None:
    """One bad tool and nothing changes; the message is for people."""
    Changing.offers = offers
    with pytest.raises(InvalidError):
        refresh(workshop, bank)
    assert tool(workshop).state == ToolState.ACTIVE


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "nonesuch"}, "kind"),
        ({"settings": {"documents": 5}}, "settings"),
        ({"kind": "sql", "settings": {"queries": {"a": {}}}}, "settings"),
        ({"settings": {"documents": {"a": "\x00"}}}, "settings"),
        ({"slug": "With Space"}, "slug"),
    ],
)
def test_bad_connector_is_refused_at_its_field(workshop: Workshop, changes: dict[str, Any], field: str) -> None:
    """Nothing of it is kept."""
    values = {"slug": "more", "name": "More", "kind": "documents", "settings": DOCUMENTS} | changes
    with workshop.open():
        with pytest.raises(InvalidError) as error:
            add_connector(actor=workshop.shell, **values)
        assert not Connector.objects.filter(slug="more").exists()
    assert error.value.field == field


def test_credential_is_sealed_for_its_own_row(workshop: Workshop) -> None:
    """And never repeated in an entry."""
    with workshop.open():
        credential = add_credential(actor=workshop.shell, name="vault", secret="canary-77")
        other = add_credential(actor=workshop.shell, name="other", secret="x")
        with pytest.raises(ConflictError):
            add_credential(actor=workshop.shell, name="vault", secret="again")
        assert "canary-77" not in str([entry.__dict__ for entry in workshop.entries("credential.add")])
    assert unseal(credential.sealed, context=f"credential:{credential.id}") == "canary-77"
    with pytest.raises(ValueError, match="does not open"):
        unseal(credential.sealed, context=f"credential:{other.id}")


def test_credential_of_another_organisation_is_not_lent(workshop: Workshop) -> None:
    """Whatever the caller hands over."""
    other = make_workshop()
    with other.open():
        foreign = add_credential(actor=other.shell, name="vault", secret="theirs")
    with workshop.open(), pytest.raises(InvalidError, match="another organisation"):
        add_connector(
            actor=workshop.shell, slug="more", name="More", kind="documents", settings=DOCUMENTS, credential=foreign
        )


def test_agents_bring_no_tools(workshop: Workshop, bank: Connector) -> None:
    """Nor accept any."""
    with workshop.open():
        with pytest.raises(InvalidError, match="agent"):
            add_connector(actor=workshop.an_agent, slug="m", name="M", kind="documents", settings=DOCUMENTS)
        with pytest.raises(InvalidError, match="agent"):
            accept_tool(actor=workshop.an_agent, tool=tool(workshop))


def test_no_connector_hears_tokens_that_are_for_remit(workshop: Workshop, bank: Connector) -> None:
    with workshop.open():
        with pytest.raises(InvalidError, match="for Remit itself"):
            identify_calls(actor=workshop.shell, connector=bank, token_header="authorization", audience="remit")
        assert identify_calls(
            actor=workshop.shell, connector=bank, token_header="authorization", audience="bank-2"
        ).called == "bank-2"  # fmt: skip
