"""Signed notes against the example of C2SP signed-note's first implementation, and against forgery."""

import base64

import pytest

from foundation.audit.notes import NoteInvalidError, SignedHead, VerifierKey, open_note, sign, verifier_key

# From the documentation of golang.org/x/mod/sumdb/note.
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
HEAD = SignedHead("remit/one", 17, bytes(range(32)))
OURS = verifier_key("remit/one", SEED)


def test_the_key_of_the_example():
    assert str(verifier_key("PeterNeumann", SEED)) == PUBLIC
    assert str(VerifierKey.parse(PUBLIC)) == PUBLIC
    assert VerifierKey.parse("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8").key_id.hex() == (
        "033de0ae"
    )


def test_the_note_of_the_example_is_signed_but_no_checkpoint():
    with pytest.raises(NoteInvalidError, match="no checkpoint"):
        open_note(NOTE, VerifierKey.parse(PUBLIC))
    with pytest.raises(NoteInvalidError, match="no valid signature"):
        open_note(NOTE.replace("answer", "questn"), VerifierKey.parse(PUBLIC))


def test_what_is_signed_opens():
    note = sign(HEAD, SEED)
    assert note.startswith("remit/one\n17\n")
    assert open_note(note, OURS) == HEAD


def test_signatures_of_witnesses_are_passed_over():
    note = sign(HEAD, SEED) + "— witness.example/w " + base64.b64encode(b"x" * 76).decode() + "\n"
    assert open_note(note, OURS) == HEAD


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace("\n17\n", "\n18\n"),
        lambda note: note.replace("remit/one", "remit/two"),
        lambda note: note.replace("AAEC", "AAED", 1),
        lambda note: note.replace("— ", "- "),
        lambda note: note.rpartition("\n\n")[0] + "\n",
        lambda note: note[:-10] + "\n",
        lambda note: "x\n" + note,
        lambda _note: "",
    ],
)
def test_a_changed_note_does_not_open(change):
    note = change(sign(HEAD, SEED))
    with pytest.raises(NoteInvalidError):
        open_note(note, OURS)


def test_another_key_does_not_open_it():
    with pytest.raises(NoteInvalidError):
        open_note(sign(HEAD, SEED), verifier_key("remit/one", bytes(32)))


@pytest.mark.parametrize("text", ["", "a+b+c", "name+00000000+" + PUBLIC.split("+")[2], PUBLIC[:-4], "+".join("abc")])
def test_what_is_no_key(text):
    with pytest.raises(NoteInvalidError):
        VerifierKey.parse(text)
