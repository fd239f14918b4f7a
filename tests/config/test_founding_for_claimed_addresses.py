"""The shell names an administrator whose address another organisation has taken: the shell's link alone opens it."""

from typing import Any

from django.conf import settings

from config.founding import found_organisation
from foundation.identity.authentication import actor_of_session
from foundation.ids import uuid7
from foundation.organisations.models import Organisation
from tests.foundation.identity.household import away
from tests.foundation.identity.squatting import acts_in, squat


def test_the_link_lets_in_its_holder_and_nobody_else(database: Any):
    squatter, slug = squat(f"chief-{uuid7()}@b.example"), f"org-{uuid7()}"
    link = found_organisation(slug=slug, name="Founded", administrator=squatter.email, currency="EUR")
    founded = Organisation.objects.using("system").get(slug=slug).id
    assert not squatter.enters(founded)
    chief = away()
    assert chief.post(link.removeprefix(settings.PUBLIC_URL)).status_code == 303
    assert actor_of_session(chief.session) is not None
    assert acts_in(chief, founded)
    assert not squatter.enters(founded)
    assert not squatter.enters(squatter.home.organisation.id)
