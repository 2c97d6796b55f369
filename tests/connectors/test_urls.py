"""Which addresses connectors may call."""

import socket

import pytest

from opswm_connectors.errors import TerminalSourceError, TransientSourceError
from opswm_connectors.urls import require_allowed


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://169.254.169.254/latest/meta-data", "never called"),
        ("http://[fe80::1]:9090", "never called"),
        ("http://[::ffff:169.254.1.1]/", "never called"),
        ("http://[fd00:ec2::254]/", "never called"),
        ("http://[::ffff:100.100.100.200]/", "never called"),
        ("http://[64:ff9b::169.254.169.254]/", "leads to 169.254.169.254"),
        ("http://[64:ff9b:1::169.254.169.254]/", "leads to 169.254.169.254"),
        ("http://[2002:a9fe:a9fe::1]/", "leads to 169.254.169.254"),
        ("http://[::169.254.169.254]/", "leads to 169.254.169.254"),
        ("http://[::]:9090", "never called"),
        ("http://192.0.0.192/opc/v2", "never called"),
        ("http://100.100.100.200", "never called"),
        ("http://0.0.0.0:9090", "never called"),
        ("http://2852039166/", "never called"),
        ("file:///etc/passwd", "scheme 'file'"),
        ("gopher://localhost:70", "scheme 'gopher'"),
        ("localhost:9090", "scheme 'localhost'"),
        ("http://", "host None"),
        ("http://ana:s3cret@localhost:9090", "credentials"),
        ("http://localhost:99999", "malformed"),
        ("http://[::1", "malformed"),
    ],
)
def test_addresses_that_are_never_called(url: str, why: str) -> None:
    """Other schemes, credentials in the URL, link-local and metadata addresses in any notation are refused."""
    with pytest.raises(TerminalSourceError, match=why) as told:
        require_allowed(url)
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9090", "https://[::1]/prometheus", "http://10.1.2.3:8428", "http://[64:ff9b::a00:7]:9090"]
)
def test_addresses_of_this_machine_and_its_network_are_allowed(url: str) -> None:
    """A Prometheus is usually on a private network."""
    assert len(require_allowed(url)) == 1


def test_a_name_is_judged_by_every_address_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """One good address beside a metadata address does not help; a name without any may get one later."""
    stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    places = {"prometheus.internal": ["10.0.0.7", "169.254.169.254"], "fine.internal": ["10.0.0.7"]}

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        if host not in places:
            raise socket.gaierror("Name or service not known")
        return [(*stream, (address, port)) for address in places[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert require_allowed("http://fine.internal:9090") == ["10.0.0.7"]
    with pytest.raises(TerminalSourceError, match=r"leads to 169\.254\.169\.254"):
        require_allowed("http://prometheus.internal:9090")
    with pytest.raises(TransientSourceError, match="cannot be resolved"):
        require_allowed("http://gone.internal:9090")
