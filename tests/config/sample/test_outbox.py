"""The outbox: one file for each key, whole or not there."""

from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy

import pytest

from agents.tools.port import ToolRefusedError
from config.sample.outbox import MailOutbox

OUTBOX = MailOutbox()
MAIL = {"to": "hannah.whitcombe@postbox.example", "subject": "Your refund: 49.90 €", "body": "Dear Hannah,\n\nDone.\n"}


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("REMIT_DATA_DIR", str(tmp_path))
    return tmp_path


def test_a_mail_is_written_once_for_each_key(data, ask):
    first = OUTBOX.call(ask("send", **MAIL))
    assert OUTBOX.call(ask("send", **MAIL)) == first
    files = list((data / "sample" / "outbox").iterdir())
    assert [file.name for file in files] == [first.content["file"]]
    message = message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert (message["To"], message["Subject"]) == (MAIL["to"], MAIL["subject"])
    assert message.get_content().replace("\r\n", "\n") == MAIL["body"]
    assert message["Message-ID"] == first.content["message_id"]


def test_writers_that_race_leave_one_file(data, ask):
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda _: OUTBOX.call(ask("send", **MAIL)).content["file"], range(8)))
    assert len(set(receipts)) == 1
    assert len(list((data / "sample" / "outbox").iterdir())) == 1


def test_another_key_is_another_mail(data, ask):
    OUTBOX.call(ask("send", key="a", **MAIL))
    OUTBOX.call(ask("send", key="b", **MAIL))
    assert len(list((data / "sample" / "outbox").iterdir())) == 2


def test_a_key_stands_for_one_mail(ask):
    OUTBOX.call(ask("send", **MAIL))
    with pytest.raises(ToolRefusedError, match="another mail"):
        OUTBOX.call(ask("send", **MAIL | {"body": "Something else"}))


def test_a_subject_cannot_add_a_header(data, ask):
    with pytest.raises(ToolRefusedError, match="nothing was sent"):
        OUTBOX.call(ask("send", **MAIL | {"subject": "Hello\r\nBcc: everybody@stranger.example"}))
    assert list((data / "sample" / "outbox").iterdir()) == []


@pytest.mark.parametrize("folder", ["../../elsewhere", "/tmp/elsewhere", ".."])
def test_the_folder_stays_below_the_data_directory(ask, folder):
    with pytest.raises(ToolRefusedError, match="below the data directory"):
        OUTBOX.call(ask("send", settings={"folder": folder}, **MAIL))


def test_an_unknown_operation_is_refused(ask):
    with pytest.raises(ToolRefusedError, match="no operation"):
        OUTBOX.call(ask("receive"))
