"""Whoever changes the record, with whatever rights, is found: here and by the offline verifier, each alone."""

import base64
import json
import shutil
import subprocess
import sys
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from foundation.audit.export import export
from foundation.audit.models import AuditBody, AuditEntry, AuditLeaf, Checkpoint
from foundation.audit.notes import VerifierKey
from foundation.audit.sealing import KEY_FILE, KEY_VARIABLE, public_keys
from foundation.audit.services import erase_body, read_body
from foundation.audit.verification import verify
from foundation.audit.verifier import LogInvalidError, verify_lines
from foundation.ids import uuid7
from foundation.keys import load_or_make_key
from foundation.tenancy.context import tenant

ROOT = Path(__file__).resolve().parents[3]
ENTRY = "(SELECT entry_id FROM audit_auditleaf WHERE log = ORG AND index = {})"

# What an intruder does to ten entries, signed at 5 and at 10; the first entry in doubt, or None.
ATTACKS = {
    "edit": ([f"UPDATE audit_auditentry SET reason = 'other' WHERE id = {ENTRY.format(7)}"], 7),
    "edit of the actor": ([f"UPDATE audit_auditentry SET actor_name = 'Eve' WHERE id = {ENTRY.format(0)}"], 0),
    "edit of details": ([f"UPDATE audit_auditentry SET details = '{{}}' WHERE id = {ENTRY.format(3)}"], 3),
    "edit of the time": ([f"UPDATE audit_auditentry SET at = at - interval '1 us' WHERE id = {ENTRY.format(9)}"], 9),
    "moved to another organisation": (
        [f"UPDATE audit_auditentry SET organisation_id = gen_random_uuid() WHERE id = {ENTRY.format(4)}"],
        4,
    ),
    "deletion": ([f"DELETE FROM audit_auditentry WHERE id = {ENTRY.format(6)}"], 6),
    "deletion with its leaf": (
        [
            f"DELETE FROM audit_auditentry WHERE id = {ENTRY.format(6)}",
            "DELETE FROM audit_auditleaf WHERE log = ORG AND index = 6",
        ],
        6,
    ),
    "deletion, the rest moved up": (
        [
            f"DELETE FROM audit_auditentry WHERE id = {ENTRY.format(6)}",
            "DELETE FROM audit_auditleaf WHERE log = ORG AND index = 6",
            "UPDATE audit_auditleaf SET index = index - 101 WHERE log = ORG AND index > 6",
            "UPDATE audit_auditleaf SET index = index + 100 WHERE log = ORG AND index < 0",
        ],
        6,
    ),
    "reordering": (
        [
            "UPDATE audit_auditleaf SET index = -1 WHERE log = ORG AND index = 6",
            "UPDATE audit_auditleaf SET index = 6 WHERE log = ORG AND index = 8",
            "UPDATE audit_auditleaf SET index = 8 WHERE log = ORG AND index = -1",
        ],
        6,
    ),
    "reordering, the tiles gone": (
        [
            "UPDATE audit_auditleaf SET index = -1 WHERE log = ORG AND index = 6",
            "UPDATE audit_auditleaf SET index = 6 WHERE log = ORG AND index = 8",
            "UPDATE audit_auditleaf SET index = 8 WHERE log = ORG AND index = -1",
            "DELETE FROM audit_logtile WHERE log = ORG",
        ],
        5,
    ),
    "truncation": (
        [
            f"DELETE FROM audit_auditentry WHERE id IN {ENTRY.format('9 OR log = ORG AND index = 8')}",
            "DELETE FROM audit_auditleaf WHERE log = ORG AND index >= 8",
        ],
        8,
    ),
    "an edit with its leaf": (
        [
            f"UPDATE audit_auditentry SET reason = 'other' WHERE id = {ENTRY.format(7)}",
            "UPDATE audit_auditleaf SET leaf_hash = sha256('other') WHERE log = ORG AND index = 7",
        ],
        7,
    ),
    "an edit of a checkpoint": (["UPDATE audit_checkpoint SET size = 9 WHERE log = ORG AND size = 10"], None),
    "a forged root": (["UPDATE audit_checkpoint SET root_hash = sha256('x') WHERE log = ORG AND size = 10"], None),
    "a forged note": (["UPDATE audit_checkpoint SET note = replace(note, '10', '11') WHERE log = ORG"], None),
    "all checkpoints gone": (["DELETE FROM audit_checkpoint WHERE log = ORG"], 0),
    "the last checkpoint gone": (["DELETE FROM audit_checkpoint WHERE log = ORG AND size = 10"], 5),
    "insertion": (
        [
            f"""INSERT INTO audit_auditentry
            SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))).*
            FROM audit_auditentry e WHERE id = {ENTRY.format(3)}"""
        ],
        None,
    ),
    "insertion into the log": (
        [
            """INSERT INTO audit_auditleaf (log, index, entry_id, leaf_hash)
            SELECT ORG, 10, gen_random_uuid(), sha256('x')""",
        ],
        10,
    ),
    "another body": ([f"UPDATE audit_auditbody SET body = '2' WHERE entry_id = {ENTRY.format(2)}"], 2),
}


@pytest.fixture
def signed(organisation, write, seal_all):
    for _ in range(2):
        write(5, body={"to": "ada@example.org", "score": 1.50})
        seal_all()
    assert verify(organisation).ok
    return organisation


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_is_found(signed, tamper, attack):
    statements, first_bad = ATTACKS[attack]
    tamper(*statements)
    result = verify(signed)
    assert not result.ok
    assert result.first_bad == first_bad, result.message
    assert "\n" not in result.message


def test_cutting_off_with_the_checkpoint_needs_a_witness(signed, tamper):
    witnessed = Checkpoint.objects.using("system").get(log=signed, size=10).note
    tamper(
        f"DELETE FROM audit_auditentry WHERE id IN {ENTRY.format('index AND index >= 5')}",
        "DELETE FROM audit_auditleaf WHERE log = ORG AND index >= 5",
        "DELETE FROM audit_checkpoint WHERE log = ORG AND size = 10",
    )
    assert verify(signed).ok  # nothing inside can tell
    result = verify(signed, witnessed=witnessed)
    assert (result.ok, result.first_bad) == (False, 5)


@pytest.mark.slow
def test_an_erased_body_leaves_the_log_valid(signed, person, seal_all):
    found = AuditEntry.objects.using("system").in_organisation(signed).earliest("id")
    with tenant(signed):
        assert read_body(actor=person, of=found) == {"to": "ada@example.org", "score": 1.5}
    assert erase_body(actor=person, organisation=signed, entry_id=found.id, reason="request of the person")
    assert not erase_body(actor=person, organisation=uuid7(), entry_id=found.id, reason="not theirs")
    with tenant(signed):
        assert read_body(actor=person, of=found) is None
    assert not AuditBody.objects.using("system").filter(entry_id=found.id).exists()
    seal_all()
    assert verify(signed).ok
    about = AuditEntry.objects.using("system").in_organisation(signed).about(found.id).order_by("id")
    assert [each.action for each in about] == ["record.read_body", "record.erase_body", "record.read_body"]


def test_an_empty_log_is_sound(organisation):
    result = verify(organisation)
    assert (result.ok, result.size) == (True, 0)


def changed(lines, number, change):
    value = json.loads(lines[number])
    change(value)
    return [*lines[:number], json.dumps(value), *lines[number + 1 :]]


@pytest.fixture
def exported(signed):
    return list(export(signed, bodies=True)), public_keys(signed)[0]


def test_the_export_verifies_offline(exported):
    lines, key = exported
    assert [json.loads(line)["kind"] for line in lines] == ["log", *["entry"] * 10, *["checkpoint"] * 2]
    head = verify_lines(lines, key)
    assert (head.size, head.origin) == (10, key.name)


@pytest.mark.parametrize(
    ("change", "first_bad"),
    [
        (lambda lines: changed(lines, 4, lambda line: line["entry"].update(reason="x")), 0),
        (lambda lines: changed(lines, 8, lambda line: line["entry"]["actor"].update(name="Eve")), 5),
        (lambda lines: changed(lines, 8, lambda line: line["entry"].update(extra=1)), 5),
        (lambda lines: changed(lines, 8, lambda line: line["entry"].update(extra=1.5)), 7),
        (lambda lines: changed(lines, 8, lambda line: line.update(body='"x"')), 7),
        (lambda lines: changed(lines, 8, lambda line: line.update(salt="")), 7),
        (lambda lines: [*lines[:8], *lines[9:]], 7),
        (lambda lines: [*lines[:8], lines[9], lines[8], *lines[10:]], 7),
        (lambda lines: [*lines[:10], *lines[11:]], 9),
        (lambda lines: lines[:-1], 5),
        (lambda lines: lines[:-2], None),
        (lambda lines: [*lines[:-1], "x"], None),
        (lambda lines: changed(lines, 12, lambda line: line.update(note=line["note"].replace("10", "11"))), None),
        (lambda _lines: [], None),
        (lambda lines: [*lines, "[]"], None),
    ],
)
def test_every_change_of_an_export_is_found(exported, change, first_bad):
    lines, key = exported
    with pytest.raises(LogInvalidError) as found:
        verify_lines(change(lines), key)
    assert found.value.index == first_bad


def test_an_export_that_was_cut_off_needs_a_witness(exported):
    lines, key = exported
    short = [*lines[:6], lines[11]]
    assert verify_lines(short, key).size == 5
    with pytest.raises(LogInvalidError, match="missing"):
        verify_lines(short, key, witnessed=[json.loads(lines[12])["note"]])


def test_another_logs_export_does_not_verify(exported):
    lines, key = exported
    with pytest.raises(LogInvalidError):
        verify_lines(lines, VerifierKey("remit/other", key.public))


@pytest.fixture
def verifier(tmp_path):
    """The files that docs/record.md names, alone in a folder: no Django, no settings, nothing of the environment."""
    folder = tmp_path / "alone" / "foundation" / "audit"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "platform/foundation/__init__.py", folder.parent)
    for name in ("__init__.py", "verifier.py", "merkle.py", "notes.py", "canonical.py"):
        shutil.copy(ROOT / "platform/foundation/audit" / name, folder)

    def run(*arguments):
        command = [sys.executable, "-m", "foundation.audit.verifier", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "alone", env={})

    return run


def test_the_verifier_stands_alone(exported, verifier, tmp_path):
    lines, key = exported
    file, note = tmp_path / "log.jsonl", tmp_path / "note"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    note.write_text(json.loads(lines[-1])["note"], encoding="utf-8")
    good = verifier(file, "--key", key, "--checkpoint", note)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("OK: 10 entries")
    file.write_text("\n".join([*lines[:6], lines[11]]), encoding="utf-8")
    assert verifier(file, "--key", key).returncode == 0
    short = verifier(file, "--key", key, "--checkpoint", note)
    assert (short.returncode, short.stdout) == (1, "BAD: Entry 5 is missing: 10 entries were signed.\n")
    file.write_text("\n".join(changed(lines, 9, lambda line: line["entry"].update(reason="x"))), encoding="utf-8")
    bad = verifier(file, "--key", key)
    assert (bad.returncode, bad.stdout) == (1, "BAD: Entries 5 to 9 are not as they were signed.\n")
    assert verifier(file, "--key", "nonsense").returncode == 2
    assert verifier(tmp_path / "none", "--key", key).returncode == 2


@pytest.mark.slow
def test_the_command(signed, tamper, tmp_path):
    said = StringIO()
    call_command("verify_record", str(signed), "--export", str(tmp_path / "log.jsonl"), stdout=said)
    assert "ok: 10 entries" in said.getvalue()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 13
    with suppress(CommandError):  # another test may have left a broken log
        call_command("verify_record", stdout=said)
    assert said.getvalue().count(f"{signed}: ok") == 2
    keys = StringIO()
    call_command("verify_record", str(signed), "--keys", stdout=keys)
    assert VerifierKey.parse(keys.getvalue()).name == f"remit/{signed}"
    tamper(f"UPDATE audit_auditentry SET reason = 'x' WHERE id = {ENTRY.format(7)}")
    with pytest.raises(CommandError, match="1 of 1 logs"):
        call_command("verify_record", str(signed), stdout=said)
    assert "BAD at 7" in said.getvalue()


@pytest.mark.parametrize("option", ["--checkpoint", "--export"])
def test_a_file_that_cannot_be_used_is_one_line(signed, option, tmp_path):
    with pytest.raises(CommandError, match=r"A file cannot be used: .*no-such-folder/note"):
        call_command("verify_record", str(signed), option, str(tmp_path / "no-such-folder/note"))


def test_old_checkpoints_verify_after_the_log_key_was_rotated(signed, write, seal_all, monkeypatch):
    former = public_keys(signed)[0]
    new, old = (base64.b64encode(seed).decode() for seed in (bytes(32), load_or_make_key(KEY_FILE, KEY_VARIABLE)))
    monkeypatch.setenv("REMIT_LOG_KEY", f"{new} {old}")
    assert public_keys(signed)[0] != former
    write()
    seal_all()
    assert verify(signed).ok
    monkeypatch.setenv("REMIT_LOG_KEY", new)
    assert "no signature" in verify(signed).message
    assert AuditLeaf.objects.using("system").filter(log=signed).count() == 11


@pytest.mark.slow
def test_of_all_logs_the_command_misses_none_that_lost_its_checkpoints(signed, tamper):
    tamper("DELETE FROM audit_checkpoint WHERE log = ORG")
    assert f"{signed}: BAD at 0" in _of_all()
    tamper("DELETE FROM audit_auditleaf WHERE log = ORG", "DELETE FROM audit_logtile WHERE log = ORG")
    assert f"{signed}: BAD: Entry" in _of_all()


def _of_all() -> str:
    said = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_record", stdout=said)
    return said.getvalue()


def test_an_export_over_a_rotation_of_the_log_key_verifies_with_both_keys(
    signed, write, seal_all, monkeypatch, verifier, tmp_path
):
    file, former = tmp_path / "log.jsonl", public_keys(signed)[0]
    new, old = (base64.b64encode(seed).decode() for seed in (bytes(32), load_or_make_key(KEY_FILE, KEY_VARIABLE)))
    monkeypatch.setenv("REMIT_LOG_KEY", f"{new} {old}")
    write()
    seal_all()
    file.write_text("\n".join(export(signed)), encoding="utf-8")
    both = [word for key in public_keys(signed) for word in ("--key", str(key))]
    good = verifier(file, *both)
    assert (good.returncode, good.stdout[:15]) == (0, "OK: 11 entries "), good
    for one in public_keys(signed):
        assert verifier(file, "--key", one).returncode == 1, "half of the checkpoints are another key's"
    other = VerifierKey("remit/other", former.public)
    assert verifier(file, *both, "--key", other).returncode == 2
