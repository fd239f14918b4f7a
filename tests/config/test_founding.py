"""`manage.py create_organisation`: an organisation of one's own, and who administers it."""

from typing import Any

import pytest
from django.core.management import CommandError

from foundation.access.services import administrators
from foundation.identity.models import User
from foundation.ids import uuid7
from foundation.organisations.models import Organisation
from foundation.tenancy.context import tenant
from tests.config.test_recovery import run, sign_in


@pytest.fixture
def slug(database: Any, settings: Any) -> str:
    settings.ROOT_URLCONF = "tests.foundation.identity.site"
    return f"acme-{uuid7().hex[-12:]}"


def test_it_has_one_administrator_who_comes_in_by_the_link(slug: str) -> None:
    said = run(
        "create_organisation", slug, "--name", "Acme", "--administrator", f"Mia@{slug}.example", "--currency", "USD"
    )
    assert len(said.splitlines()) == 1
    assert sign_in(said).get("/who").json()["name"] == "Mia"
    made = Organisation.objects.using("system").get(slug=slug)
    assert (made.name, made.currency) == ("Acme", "USD")
    with tenant(made.id):
        assert administrators(made.id).count() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--administrator", "nobody"), "no e-mail address"),
        (("--administrator", "mia@example.org", "--currency", "euros"), "currency"),
        ((), "--administrator"),
    ],
)
def test_what_cannot_be_made_leaves_nothing(slug: str, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run("create_organisation", slug, *arguments)
    assert not Organisation.objects.using("system").filter(slug=slug).exists()


def test_a_short_name_is_given_once(slug: str) -> None:
    run("create_organisation", slug, "--administrator", f"a@{slug}.example")
    with pytest.raises(CommandError, match="already"):
        run("create_organisation", slug, "--administrator", f"b@{slug}.example")
    assert not User.objects.using("system").filter(email=f"b@{slug}.example").exists()
