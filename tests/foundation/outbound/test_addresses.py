"""Which addresses are public, in all the ways that an IPv4 address can hide."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.outbound.addresses import Allowance, checked_addresses, is_public
from foundation.outbound.errors import OutboundRefusedError

REFUSED = [
    "0.0.0.0",  # noqa: S104 - it is refused
    "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.7",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "fe80::1", "fe80::1%lo", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "2001::1", "3fff::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
    "2002:7f00:1::", "2002:808:808::", "fec0::1", "100::1", "5f00::1", "not an address", "",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", REFUSED)
def test_refused(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address):
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_judged_like_itself(address):
    alone = is_public(str(address))
    assert is_public(f"::ffff:{address}") == alone
    assert is_public(str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address)))) == alone
    assert not is_public(str(ipaddress.IPv6Address(0x2002 << 112 | int(address) << 80)))


@given(st.ip_addresses())
def test_never_laxer_than_python(address):
    if is_public(str(address)) and (address.version == 4 or not str(address).startswith(("64:ff9b", "::ffff"))):
        inside = (address.is_loopback, address.is_private, address.is_link_local, address.is_multicast)
        assert not any(inside)


def test_a_name_with_one_private_address_is_refused(monkeypatch):
    answer = [(2, 1, 6, "", ("8.8.8.8", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_kwargs: answer)
    with pytest.raises(OutboundRefusedError, match=r"mixed\.example:80") as refused:
        checked_addresses("mixed.example", 80, Allowance.of(()))
    assert "10.0.0.1" not in str(refused.value)


@pytest.mark.parametrize(
    ("pair", "host", "port", "covered"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80, True),
        ("127.0.0.1:80", "127.0.0.1", 81, False),
        ("127.0.0.1:80", "localhost", 80, False),
        ("localhost:80", "LOCALHOST", 80, True),
        ("[::1]:80", "::1", 80, True),
        (" Ollama.internal:11434 ", "ollama.internal", 11434, True),
        ("internal:80", "ollama.internal", 80, False),
    ],
)
def test_what_is_allowed_is_allowed_by_name(pair, host, port, covered):
    assert Allowance.of([pair]).covers(host, port) is covered
