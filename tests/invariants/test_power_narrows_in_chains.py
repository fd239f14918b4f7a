"""Power only narrows, over random chains: what is passed on, narrowed, revoked or exchanged is never more than before.

The algebra is tried on chains of words; the verbs and the exchange on a real database, where a random story of giving,
narrowing and revoking is played, and after each act every token that can be had is held against every link above it.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from foundation.access.models import Grant
from foundation.access.services import grant
from foundation.actors import Actor, ActorKind
from foundation.delegation.effective import Link, Rights, covers, effective, intersection, line_of
from foundation.delegation.exchange import ExchangeError, Receiver, Wish, for_agent, for_person
from foundation.delegation.models import DelegationGrant
from foundation.delegation.services import give_delegation, narrow_delegation, revoke_delegation
from foundation.delegation.tokens import Claims
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import Principal
from foundation.identity.services import add_person
from foundation.instants import database_now
from foundation.organisations.models import GrantTarget
from tests.agents.workshop import Workshop, make_workshop

WORDS = [
    "tool:*",
    "tool:shop.*",
    "tool:shop.buy",
    "tool:shop.sell",
    "tool:bank.pay",
    "agent:*",
    "agent:clerk",
    "run.view",
]
PLAIN = [word for word in WORDS if "*" not in word] + ["tool:other.x", "agent:b", "run.start"]
AUDIENCES = ["remit", "shop", "bank"]
# A story takes a second to play: a failing one is told as it is, and not sought to be made shorter.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
LEVELS = ("first", "second", "third")

rights = st.frozensets(st.sampled_from(WORDS))
chains = st.lists(rights, min_size=1, max_size=6)


def links(chain: list[Rights]) -> list[Link]:
    return [Link(name=str(place), kind="x", rights=one, why="") for place, one in enumerate(chain)]


def allowed(held: Rights) -> set[str]:
    """The plain words that rights let through."""
    return {word for word in PLAIN if covers(held, word)}


@given(chains)
def test_what_is_left_is_what_every_link_lets_through(chain: list[Rights]) -> None:
    left = effective(links(chain))
    assert allowed(left) == set.intersection(*(allowed(one) for one in chain))
    assert all(covers(one, word) for one in chain for word in left)


@given(chains, rights)
def test_one_more_link_adds_nothing(chain: list[Rights], more: Rights) -> None:
    before, after = effective(links(chain)), effective(links([*chain, more]))
    assert all(covers(before, word) for word in after)


@given(chains, st.data())
def test_a_right_less_anywhere_adds_nothing(chain: list[Rights], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))
    less = chain[place] - data.draw(rights)
    before, after = effective(links(chain)), effective(links([*chain[:place], less, *chain[place + 1 :]]))
    assert all(covers(before, word) for word in after)


@given(rights, rights, rights)
def test_the_order_of_links_does_not_matter(one: Rights, two: Rights, three: Rights) -> None:
    assert intersection(one, two) == intersection(two, one)
    assert allowed(intersection(intersection(one, two), three)) == allowed(intersection(one, intersection(two, three)))


def test_a_chain_without_links_lets_nothing_through() -> None:
    assert effective([]) == frozenset()


class Story:
    """A person, three agents below one another, and what they have given."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        with workshop.open():
            made = add_person(actor=workshop.shell, organisation=workshop.organisation, email="p@example.org", name="P")
            self.person = Actor(kind=ActorKind.PERSON, name="P", principal=made.principal_id,
                                organisation=workshop.organisation.id)  # fmt: skip
            whole = GrantTarget.objects.get(pk=workshop.organisation.id)
            grant(actor=workshop.shell, principal=made.principal, role="operator", target=whole)
            self.agents = [workshop.agent(level).principal for level in LEVELS]
        self.own: dict[UUID, Rights] = {}

    def clear(self) -> None:
        """What was given before counts for nothing."""
        for one in DelegationGrant.objects.filter(revoked_at=None):
            revoke_delegation(actor=self.person, delegation=one)

    def receiver(self, agent: Principal) -> Receiver:
        return Receiver(principal=agent.pk, slug=agent.name, name=agent.name, rights=self.own[agent.pk])

    def tokens(self, now: datetime) -> list[tuple[Claims, Claims | None]]:
        """Every token that can be had down the line, with the one that it was made from."""
        found: list[tuple[Claims, Claims | None]] = []
        above: list[Claims | None] = [None]
        for agent in self.agents:
            got = [(token, former) for former in above for token in self._exchanged(agent, former, now)]
            found += got
            above = [token for token, _ in got]
        return found

    def _exchanged(self, agent: Principal, former: Claims | None, now: datetime) -> list[Claims]:
        found = []
        for audience in AUDIENCES:
            wish = Wish(audience=(audience,), scopes=frozenset())
            with suppress(ExchangeError):
                found.append(
                    for_person(self.person, self.receiver(agent), wish, now)
                    if former is None
                    else for_agent(former, self.receiver(agent), wish, now)
                )
        return found

    def check(self) -> None:
        """Each token is within its delegations, its former, its agent, and its person."""
        now = database_now()
        held = self.person_rights()
        for token, former in self.tokens(now):
            line = line_of(DelegationGrant.objects.get(pk=token.delegation))
            assert all(covers(one.scopes, word) for one in line for word in token.scopes)
            assert all(set(token.audience) <= set(one.audience) for one in line)
            assert all(token.expires_at <= one.expires_at and one.revoked_at is None for one in line)
            assert all(covers(self.own[token.agent], word) for word in token.scopes)
            assert all(covers(held, word) for word in token.scopes)
            assert token.person == self.person.principal
            if former is not None:
                assert all(covers(former.scopes, word) for word in token.scopes)
                assert token.expires_at <= former.expires_at
                assert token.chain[1:] == former.chain

    def person_rights(self) -> Rights:
        if not Grant.objects.live().filter(principal_id=self.person.principal).exists():
            return frozenset()
        return frozenset({"tool:*", "agent:*", "run.view", "run.start"})


@pytest.fixture
def story(database: Any) -> Story:
    """A new one."""
    return Story(make_workshop())


scopes = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True)
names = st.lists(st.sampled_from(AUDIENCES), min_size=1, max_size=3, unique=True)
acts = st.lists(
    st.tuples(
        st.sampled_from(["give", "give", "give", "pass on", "pass on", "narrow", "revoke"]),
        st.integers(0, 2), st.integers(0, 5), scopes, names, st.integers(1, 90),
    ),
    min_size=2, max_size=9,
)  # fmt: skip


def play(story: Story, act: tuple[str, int, int, list[str], list[str], int]) -> None:
    """One act; what is refused changes nothing."""
    what, agent, which, words, audience, minutes = act
    given_now = list(DelegationGrant.objects.filter(revoked_at=None).select_related("receiver").order_by("id"))
    chosen = given_now[which % len(given_now)] if given_now else None
    end = database_now() + timedelta(minutes=minutes)
    actor = story.person
    with suppress(InvalidError, ConflictError):
        if what == "give":
            give_delegation(actor=actor, receiver=story.agents[0], scopes=words, audience=audience, expires_at=end)
        elif chosen is None:
            return
        elif what == "pass on":
            given = give_delegation(actor=actor, receiver=story.agents[agent], scopes=words, audience=audience,
                                    expires_at=min(end, chosen.expires_at), parent=chosen)  # fmt: skip
            assert all(covers(chosen.scopes, word) for word in given.scopes)
        elif what == "narrow":
            after = narrow_delegation(actor=actor, delegation=chosen, scopes=words, audience=audience)
            assert all(covers(chosen.scopes, word) for word in after.scopes)
        else:
            revoke_delegation(actor=actor, delegation=chosen)


@settings(max_examples=60, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=acts, own=st.lists(rights, min_size=3, max_size=3), loses=st.booleans())
@pytest.mark.slow
def test_no_story_of_giving_and_taking_widens_anything(story: Story, acts: Any, own: Any, loses: bool) -> None:
    with story.workshop.open():
        story.clear()
        story.own = dict(zip((one.pk for one in story.agents), own, strict=True))
        for act in acts:
            play(story, act)
            story.check()
        if loses:
            whole = Grant.objects.get(principal_id=story.person.principal)
            Grant.objects.filter(pk=whole.pk).update(expires_at=database_now() - timedelta(hours=1))
            assert story.tokens(database_now()) == [], "who may nothing any more lends nothing"
            Grant.objects.filter(pk=whole.pk).update(expires_at=None)


def test_the_story_is_not_empty(story: Story) -> None:
    """The property above would hold of nothing too: here is a line of three tokens."""
    with story.workshop.open():
        story.own = {one.pk: frozenset({"tool:shop.buy", "tool:shop.sell"}) for one in story.agents}
        end = database_now() + timedelta(minutes=30)
        parent = None
        for agent, words in zip(story.agents, (["tool:*"], ["tool:shop.*"], ["tool:shop.buy"]), strict=True):
            parent = give_delegation(actor=story.person, receiver=agent, scopes=words, audience=["remit"],
                                     expires_at=end, parent=parent)  # fmt: skip
        found = [sorted(token.scopes) for token, _ in story.tokens(database_now())]
        assert found == [["tool:shop.buy", "tool:shop.sell"]] * 2 + [["tool:shop.buy"]]
        narrow_delegation(actor=story.person, delegation=line_of(parent)[-1], scopes=["tool:bank.*"])
        assert story.tokens(database_now()) == [], "what was narrowed above counts below"


@pytest.mark.parametrize("kind", [ActorKind.AGENT, ActorKind.SYSTEM])
def test_no_agent_gives_takes_or_changes_a_delegation(story: Story, kind: ActorKind) -> None:
    with story.workshop.open():
        end = database_now() + timedelta(minutes=30)
        given = give_delegation(actor=story.person, receiver=story.agents[0], scopes=["tool:*"], audience=["remit"],
                                expires_at=end)  # fmt: skip
        agent = replace(story.person, kind=kind, principal=story.agents[0].pk if kind is ActorKind.AGENT else None)
        with pytest.raises(InvalidError):
            give_delegation(actor=agent, receiver=story.agents[1], scopes=["tool:*"], audience=["remit"],
                            expires_at=end, parent=given)  # fmt: skip
        if kind is ActorKind.AGENT:
            for verb in (narrow_delegation, revoke_delegation):
                with pytest.raises(InvalidError, match="agent"):
                    verb(actor=agent, delegation=given)


def test_nobody_gives_what_they_have_not(story: Story) -> None:
    with story.workshop.open():
        end = database_now() + timedelta(minutes=30)
        for words in (["policy.manage"], ["grant.manage", "tool:*"]):
            with pytest.raises(InvalidError, match="yourself"):
                give_delegation(actor=story.person, receiver=story.agents[0], scopes=words, audience=["remit"],
                                expires_at=end)  # fmt: skip
        stranger = replace(story.person, principal=story.workshop.sponsor.pk)
        with pytest.raises(InvalidError, match="yourself"):
            give_delegation(actor=stranger, receiver=story.agents[0], scopes=["tool:*"], audience=["remit"],
                            expires_at=end)  # fmt: skip
