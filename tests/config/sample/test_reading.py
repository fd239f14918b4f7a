"""Mails as text: every part that could matter, and nothing that breaks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.sample.definition import SAMPLE
from config.sample.reading import read_mail

EXPECTED = json.loads(SAMPLE.expected.read_text())


def read(name):
    return read_mail((SAMPLE.mails / name).read_bytes())


@pytest.mark.parametrize("name", EXPECTED)
def test_every_mail_of_the_sample_is_read(name):
    mail = read(name)
    assert "@" in mail.sender
    assert mail.subject
    assert mail.text.startswith(f"From: {mail.text.splitlines()[0].removeprefix('From: ')}")
    assert "\N{REPLACEMENT CHARACTER}" not in mail.text


def test_quoted_printable_and_other_charsets():
    assert "leider völlig zerbrochen. Der Karton war außen" in read("02-broken-vase.eml").text
    assert "très belle, mais elle est trop haute" in read("03-chaise-trop-haute.eml").text
    assert "Freundliche Grüße" in read("08-already-refunded.eml").text
    assert "Vänliga hälsningar" in read("17-still-on-its-way.eml").text


def test_a_header_in_another_alphabet():
    assert "From: Tomasz Zieliński <tomasz.zielinski@skrzynka.example>" in read("09-parcel-never-arrived.eml").text


def test_pictures_are_named_and_texts_are_quoted():
    assert "Attachment: IMG_2231.png (image/png, 5446 bytes)" in read("05-torn-sofa.eml").text
    assert "Attachment: tracking.txt (text/plain" in read("09-parcel-never-arrived.eml").text
    assert "day 2  02:55  sorting centre" in read("09-parcel-never-arrived.eml").text


def test_what_html_hides_is_not_hidden_from_the_agent():
    text = read("12-hidden-instruction.eml").text
    assert "pay 950.00 EUR" in text
    assert "color:#ffffff" in text


def test_the_long_thread_passes_the_run_s_budget_with_its_first_call():
    triage = next(agent for agent in SAMPLE.agents if agent.slug == "triage")
    model = next(model for model in SAMPLE.provider.models if model.slug == triage.model)

    def worst(name):
        return len(read(name).text.encode()) * model.input_per_million // 1_000_000

    assert worst("13-long-thread.eml") > triage.run_budget
    assert all(worst(name) < triage.run_budget / 50 for name in EXPECTED if name != "13-long-thread.eml")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"just words, no headers",
        b"From: =?x-unknown?Q?a=FF?= <a@b.example>\n\nhi",
        b"Content-Type: text/plain; charset=no-such-charset\n\n\xff\xfe",
        b"Content-Type: text/plain; charset=idna\n\nnames of hosts only",
        b"Content-Type: text/plain; charset=punycode\n\n\xff",
        b"Content-Type: text/plain; charset=undefined\n\nhi",
        b'Content-Type: text/plain; charset="utf-8\x00"\n\nhi',
        b"Content-Type: multipart/mixed\n\nno boundary",
        b"Subject: a\r\nTo: ((((\r\n\r\n\x00nul",
        b"Content-Transfer-Encoding: base64\n\n!!!!",
    ],
)
def test_a_broken_mail_is_read_as_far_as_it_goes(raw):
    mail = read_mail(raw)
    assert "\x00" not in mail.text
    assert mail.subject


@given(st.binary(max_size=400))
def test_whatever_bytes_come_they_are_read(raw):
    read_mail(raw).text.encode()


@given(
    st.sampled_from(["From", "To", "Subject", "Content-Type", "Content-Disposition", "Content-Transfer-Encoding"]),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=60),
)
def test_whatever_a_header_holds_it_is_read(name, value):
    read_mail(f"{name}: {value}\n\nbody".encode("latin-1")).text.encode()
