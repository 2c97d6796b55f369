"""A PostgreSQL server of the tests' own, from Debian's package: one per test process, one database per test."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

TEMPLATE = "opswm_newest"
"""A database at the newest revision, which those of the tests are copies of: quicker than migrating each."""

_USER = "opswm"
_START_S = 60.0
_STARTS = 5
_TAKEN = "Address already in use"
"""What the server says where the port that was free a moment ago is another's now."""

_NUMBERS = count(1)


@dataclass(frozen=True)
class Server:
    """A running server; anybody on this machine may connect while it runs.

    Attributes:
        port: On 127.0.0.1.
        pid: Of the postmaster.
    """

    port: int
    pid: int

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """Return a connection that commits each statement."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def create(self, template: str = "template1") -> str:
        """Create a database and return its name."""
        name = f"test_{next(_NUMBERS)}"
        with self.connect() as connection:
            copied = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(copied.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop(self, database: str) -> None:
        """Drop a database, whoever is connected."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


def programs() -> Path | None:
    """Return the folder of the newest server's programs, None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def missing() -> str:
    """Return why no server can be started here, nothing where one can."""
    if programs() is None:
        return "PostgreSQL's server is not installed: apt-get install postgresql"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL does not run as root, and there is no setpriv to become another user: install util-linux"
    return ""


class Installation:
    """A data folder of a server's own, with the server started, crashed and started again.

    Commits are on disk when they return, as in production. Text is ordered by the rules of a language, unlike in
    SQLite, so that nothing comes to rest on either order.
    """

    def __init__(self) -> None:
        folder = programs()
        assert folder is not None
        self._program = folder / "postgres"
        self._home = Path(tempfile.mkdtemp(prefix="opswm-postgresql-"))
        self._port = _free_port()
        self._as_user: list[str | Path] = []
        if os.geteuid() == 0:
            shutil.chown(self._home, "postgres", "postgres")
            self._as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=INT"]
        made = [*self._as_user, folder / "initdb", "--pgdata", self._home / "data", "--username", _USER]
        locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"]
        subprocess.run([*made, *locale, "--auth=trust", "--no-sync"], check=True, capture_output=True, cwd=self._home)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        """Start the server and return it once it answers; on another port where the first was taken meanwhile."""
        for attempt in range(_STARTS):
            told = self._start()
            if self._process is not None and self._process.poll() is None:
                return Server(self._port, self._process.pid)
            assert attempt + 1 < _STARTS, told
            assert _TAKEN in told, told
            self._port = _free_port()
        raise AssertionError("the last attempt returns or raises")

    def _start(self) -> str:
        """Start the server and wait until it answers or ends; return what it said."""
        given = {"port": self._port, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        settings = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        command = [*self._as_user, self._program, "-D", self._home / "data", *settings, "-c", "shared_buffers=16MB"]
        log = self._home / "log"
        with log.open("ab") as output:
            before = output.tell()
            self._process = subprocess.Popen(command, stdout=output, stderr=output, cwd=self._home)
        _wait_for(Server(self._port, self._process.pid), self._process, log)
        return log.read_bytes()[before:].decode(errors="replace")

    def crash(self) -> None:
        """End the server as a power failure would, as far as it can tell: without writing anything more."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        """End the server and remove all it kept."""
        self._end(signal.SIGINT)
        shutil.rmtree(self._home)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def installed() -> Iterator[Installation]:
    """Install a server for a block; skips the test where there is none."""
    if why := missing():
        pytest.skip(why)
    installation = Installation()
    try:
        yield installation
    finally:
        installation.remove()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A server with a database at the newest revision to copy from; skips where there is none."""
    from opswm.store.database import open_database  # most test runs need no database

    with installed() as installation:
        server = installation.start()
        with server.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        open_database(server.url(TEMPLATE)).dispose()
        yield server


@pytest.fixture
def postgresql(postgresql_server: Server) -> Iterator[str]:
    """URL of a database at the newest revision."""
    name = postgresql_server.create(TEMPLATE)
    yield postgresql_server.url(name)
    postgresql_server.drop(name)


@pytest.fixture
def empty_postgresql(postgresql_server: Server) -> Iterator[str]:
    """URL of a database without any table."""
    name = postgresql_server.create()
    yield postgresql_server.url(name)
    postgresql_server.drop(name)


def _wait_for(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START_S
    while process.poll() is None and not _answers(server):
        told = log.read_text(encoding="utf-8", errors="replace")
        assert time.monotonic() < until, f"PostgreSQL does not answer after {_START_S} s:\n{told}"
        time.sleep(0.05)


def _answers(server: Server) -> bool:
    try:
        server.connect().close()
    except psycopg.OperationalError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
