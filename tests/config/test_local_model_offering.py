"""`manage.py offer_local_model`: once, following the address, never over what people made of it."""

from pathlib import Path

import pytest

from config.offering import INPUT_PER_MILLION, OUTPUT_PER_MILLION
from tests.config.own_database import OwnDatabase, make_database

pytestmark = pytest.mark.slow

HERE = "http://127.0.0.1:29201/v1"
THERE = "http://127.0.0.1:29202/v1"
PROVIDER = "SELECT base_url, api, rehearsal, enabled, sealed_key FROM catalogue_provider WHERE slug = 'local'"
PRICES = (
    "SELECT m.slug, p.currency, p.input_per_million, p.output_per_million FROM catalogue_price p "
    "JOIN catalogue_languagemodel m ON m.id = p.language_model_id WHERE m.slug = 'smollm2-135m'"
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> OwnDatabase:
    """The sample, without its runs."""
    made = make_database(tmp_path_factory.mktemp("offering"))
    assert made.manage("seed_sample", "--no-runs").returncode == 0
    return made


def offer(own: OwnDatabase, address: str = HERE, *options: str) -> str:
    done = own.manage("offer_local_model", *options, REMIT_LOCAL_MODEL_URL=address)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refusal(own: OwnDatabase, address: str = HERE, *options: str) -> str:
    done = own.manage("offer_local_model", *options, REMIT_LOCAL_MODEL_URL=address)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    return line


def test_it_is_offered_once_with_a_price_and_in_the_record(own: OwnDatabase) -> None:
    assert offer(own) == "The model smollm2-135m was added to northwind."
    assert own.rows(PROVIDER) == [(HERE, "chat", False, True, "")]
    assert own.rows(PRICES) == [("smollm2-135m", "EUR", INPUT_PER_MILLION, OUTPUT_PER_MILLION)]
    before = own.rows("SELECT count(*) FROM audit_auditentry")
    assert offer(own).endswith("nothing was changed.")
    assert own.rows("SELECT count(*) FROM audit_auditentry") == before
    actions = own.rows("SELECT action, actor_name FROM audit_auditentry WHERE target_name LIKE '%ocal model'")
    assert actions == [("provider.add", "shell")]


def test_only_the_address_follows(own: OwnDatabase) -> None:
    offer(own)
    own.as_superuser("UPDATE catalogue_provider SET enabled = false, name = 'Ours' WHERE slug = 'local'")
    offer(own, THERE)
    assert own.rows(PROVIDER) == [(THERE, "chat", False, False, "")]
    assert own.rows("SELECT name FROM catalogue_provider WHERE slug = 'local'") == [("Ours",)]
    assert len(own.rows(PRICES)) == 1


def test_a_provider_of_that_name_with_a_key_is_somebody_elses(own: OwnDatabase) -> None:
    offer(own)
    own.as_superuser("UPDATE catalogue_provider SET sealed_key = 'v1.x' WHERE slug = 'local'")
    before = own.rows(PROVIDER)
    assert "has a provider local that is not the local model" in refusal(own, "http://127.0.0.1:29203/v1")
    assert own.rows(PROVIDER) == before
    own.as_superuser("UPDATE catalogue_provider SET sealed_key = '' WHERE slug = 'local'")


def test_what_is_missing_is_told_in_a_line(own: OwnDatabase) -> None:
    assert "There is no organisation 'nowhere'" in refusal(own, HERE, "--organisation", "nowhere")
    assert "has no address" in refusal(own, "")


def test_without_the_sample_nothing_is_offered_and_up_goes_on(tmp_path: Path) -> None:
    empty = make_database(tmp_path)
    assert "--organisation SLUG" in offer(empty)
    assert empty.rows("SELECT count(*) FROM catalogue_provider") == [(0,)]
