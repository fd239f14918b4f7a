"""Key files: made once, for us alone, whole or not at all."""

import base64
import multiprocessing
import os
import stat

import pytest

from foundation.keys import KeyUnusableError, add_key, drop_former_keys, key_id, load_or_make_key, load_or_make_keys

ENVIRONMENT = "REMIT_TEST_KEY"
ONE, TWO = bytes(32), bytes(range(32))


def written(key):
    return base64.b64encode(key).decode()


def test_a_key_is_made_once_and_for_us_alone(keys):
    key = load_or_make_key("x.key", ENVIRONMENT)
    assert len(key) == 32
    assert load_or_make_key("x.key", ENVIRONMENT) == key
    assert stat.S_IMODE((keys / "x.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert os.listdir(keys) == ["x.key"]


def _made(directory, start, answers):
    start.wait()
    answers.put(load_or_make_key("x.key", ENVIRONMENT, directory=directory))


def test_processes_that_start_together_agree(keys):
    context = multiprocessing.get_context("fork")
    start, answers = context.Event(), context.Queue()
    processes = [context.Process(target=_made, args=(keys, start, answers)) for _ in range(8)]
    for process in processes:
        process.start()
    start.set()
    assert len({answers.get(timeout=20) for _ in processes}) == 1
    for process in processes:
        process.join()
    assert os.listdir(keys) == ["x.key"]


@pytest.mark.parametrize("between", [",", "\n", " "])
def test_the_environment_comes_first(keys, monkeypatch, between):
    load_or_make_key("x.key", ENVIRONMENT)
    monkeypatch.setenv(ENVIRONMENT, written(ONE) + between + written(TWO))
    assert load_or_make_keys("x.key", ENVIRONMENT) == (ONE, TWO)
    for change in (add_key, drop_former_keys):
        with pytest.raises(KeyUnusableError, match=ENVIRONMENT):
            change("x.key", ENVIRONMENT)


def test_a_new_key_stands_first_and_the_former_may_go(keys):
    former = load_or_make_key("x.key", ENVIRONMENT)
    add_key("x.key", ENVIRONMENT)
    now = load_or_make_keys("x.key", ENVIRONMENT)
    assert now[1:] == (former,)
    assert now[0] != former
    assert stat.S_IMODE((keys / "x.key").stat().st_mode) == 0o600
    assert drop_former_keys("x.key", ENVIRONMENT) == 1
    assert load_or_make_keys("x.key", ENVIRONMENT) == now[:1]


@pytest.mark.parametrize("content", ["", "not base64!", written(b"short"), written(ONE) + "\nx"])
def test_a_damaged_key_is_refused_and_not_shown(keys, content):
    keys.mkdir(mode=0o700)
    (keys / "x.key").touch(mode=0o600)
    (keys / "x.key").write_text(content)
    with pytest.raises(KeyUnusableError) as refused:
        load_or_make_key("x.key", ENVIRONMENT)
    assert "\n" not in str(refused.value)
    assert not content or content not in str(refused.value)


def test_a_key_that_others_may_read_is_refused(keys):
    load_or_make_key("x.key", ENVIRONMENT)
    (keys / "x.key").chmod(0o640)
    with pytest.raises(KeyUnusableError, match="chmod 600"):
        load_or_make_key("x.key", ENVIRONMENT)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KeyUnusableError, match="cannot be"):
        load_or_make_key("x.key", ENVIRONMENT, directory=tmp_path / "file")


def test_the_id_tells_keys_apart():
    assert key_id(ONE) != key_id(TWO)
    assert len(key_id(ONE)) == 8
