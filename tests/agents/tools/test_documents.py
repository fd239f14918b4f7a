"""The documents connector: passages by words, whole texts by name."""

from uuid import UUID

import pytest

from agents.labels import Confidentiality, Integrity
from agents.tools.documents import DocumentsConnector
from agents.tools.port import ToolEffect, ToolRefusedError, ToolRequest

POLICY = "Preface.\n\n# Refunds\nWithin 30 days.\n\n# Shipping\nParcels.\n\n## Damage\nA photo of the damage.\n"
SETTINGS = {"documents": {"policy": POLICY, "hours": "Open from nine to five."}, "integrity": "trusted"}
CONNECTOR = DocumentsConnector()


def call(operation, settings=SETTINGS, **arguments):
    identifier = UUID(int=1)
    return CONNECTOR.call(
        ToolRequest(
            operation=operation, arguments=arguments, idempotency_key="k", settings=settings, secret=None,
            organisation=identifier, run=identifier,
        )
    )  # fmt: skip


def test_both_operations_read():
    assert {d.name: d.effect for d in CONNECTOR.definitions(SETTINGS)} == {
        "search": ToolEffect.READ,
        "read": ToolEffect.READ,
    }


def test_a_search_gives_the_best_passage_first():
    passages = call("search", query="photo of DAMAGE").content["passages"]
    assert passages[0] == {"document": "policy", "heading": "Damage", "text": "A photo of the damage."}


def test_words_that_stand_nowhere_give_nothing():
    assert call("search", query="submarine").content == {"passages": []}


def test_text_before_the_first_heading_carries_the_name():
    assert call("search", query="preface").content["passages"][0]["heading"] == "policy"


def test_a_document_is_read_whole_with_its_label():
    output = call("read", name="policy")
    assert output.content == {"name": "policy", "text": POLICY}
    assert output.label.integrity is Integrity.TRUSTED
    assert output.label.sources == {"document:policy"}


def test_without_a_word_on_it_a_document_is_not_trusted():
    output = call("read", settings={"documents": {"a": "b"}}, name="a")
    assert (output.label.integrity, output.label.confidentiality) == (Integrity.UNTRUSTED, Confidentiality.INTERNAL)


@pytest.mark.parametrize(("operation", "arguments"), [("read", {"name": "other"}), ("write", {})])
def test_what_is_not_there_is_refused(operation, arguments):
    with pytest.raises(ToolRefusedError, match="There is no"):
        call(operation, **arguments)
