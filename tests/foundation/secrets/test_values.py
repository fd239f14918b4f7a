"""A secret in memory does not show itself."""

import copy
import json
import pickle

import pytest

from foundation.secrets.values import Secret

CANARY = "canary-6f1c0b7e"


@pytest.mark.parametrize("show", [str, repr, lambda secret: f"{secret}", lambda secret: f"{[secret]!r}", "{}".format])
def test_it_is_not_shown(show):
    assert show(Secret(CANARY)) in {"Secret(…)", "[Secret(…)]"}


@pytest.mark.parametrize("send", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, hash])
def test_it_is_not_sent(send):
    with pytest.raises(TypeError) as refused:
        send(Secret(CANARY))
    assert CANARY not in str(refused.value)


def test_it_is_revealed_on_purpose():
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret("other")
    assert Secret(CANARY) != CANARY
    assert not Secret("")
    assert not hasattr(Secret(CANARY), "__dict__")
