"""The sealing key is rotated; sealed columns follow, and the record tells."""

from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connections, models

from foundation.actors import shell_actor
from foundation.audit.models import AuditEntry
from foundation.keys import key_id, load_or_make_keys
from foundation.secrets import columns, rotation
from foundation.secrets.sealing import KEY_FILE, KEY_VARIABLE, is_current, seal, unseal


@pytest.fixture
def thing_model():
    """A model with a sealed column, of this test only."""

    class SealedThing(models.Model):
        sealed = models.TextField(blank=True)

        class Meta:
            app_label = "secrets"

        def __str__(self):
            return str(self.pk)

    yield SealedThing
    del apps.all_models["secrets"]["sealedthing"]
    apps.clear_cache()


@pytest.fixture
def things(database, thing_model, monkeypatch):
    monkeypatch.setattr(rotation, "columns", registered := [])
    monkeypatch.setattr(columns, "columns", registered)
    for _ in range(2):  # an app may be made ready twice
        columns.register_column("secrets.SealedThing", "sealed", lambda thing: f"thing:{thing.pk}")
    with connections["owner"].schema_editor() as editor:
        editor.create_model(thing_model)
        editor.execute(f"GRANT ALL ON {thing_model._meta.db_table} TO remit_system")
    yield thing_model.objects.using("system")
    with connections["owner"].schema_editor() as editor:
        editor.delete_model(thing_model)


def test_every_registered_column_follows(things, monkeypatch):
    monkeypatch.setattr(rotation, "_BATCH", 3)
    for number in range(1, 8):
        things.create(pk=number, sealed=seal(f"value {number}", context=f"thing:{number}"))
    things.create(pk=8, sealed="")
    assert rotation.rotate_sealing_key(actor=shell_actor()) == 7
    for thing in things.exclude(sealed=""):
        assert is_current(thing.sealed)
        assert unseal(thing.sealed, context=f"thing:{thing.pk}") == f"value {thing.pk}"
    assert rotation.drop_former_sealing_keys(actor=shell_actor()) == 1
    assert unseal(things.get(pk=7).sealed, context="thing:7") == "value 7"


def last_entry(action):
    return AuditEntry.objects.using("system").in_organisation(None).matching(action=action).first()


def test_the_command_makes_a_key_and_records_it(database, keys, monkeypatch):
    # Other tests sealed rows under keys of their own.
    monkeypatch.setattr(rotation, "columns", [])
    token = seal("x", context="c")
    said = StringIO()
    call_command("rotate_sealing_key", stdout=said)
    assert "current key" in said.getvalue()
    assert not is_current(token)
    assert unseal(token, context="c") == "x"
    current, former = load_or_make_keys(KEY_FILE, KEY_VARIABLE)
    assert last_entry("sealing_key.rotate").target_name == key_id(current)
    call_command("rotate_sealing_key", "--drop-former", stdout=said)
    assert load_or_make_keys(KEY_FILE, KEY_VARIABLE) == (current,)
    assert last_entry("sealing_key.drop_former").details == {"dropped": 1}
    assert former not in (keys / KEY_FILE).read_bytes()


def test_keys_of_the_environment_are_the_operators(database, monkeypatch):
    monkeypatch.setattr(rotation, "columns", [])
    monkeypatch.setenv(KEY_VARIABLE, "A" * 43 + "=")
    with pytest.raises(CommandError, match=KEY_VARIABLE):
        call_command("rotate_sealing_key")
    call_command("rotate_sealing_key", "--reseal-only", stdout=StringIO())
