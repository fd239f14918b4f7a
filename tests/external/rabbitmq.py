"""A RabbitMQ of a test's own, on loopback, that can be killed, started again and emptied, and its bells."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shutil import which
from uuid import UUID

from kombu import Connection
from kombu.exceptions import OperationalError

from config.launch import ports
from tests.bells import named
from tests.proxies import Proxy

QUEUE = "remit"


class RabbitMQ:
    """Its data lie in `folder`; `url` is the broker's address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, distribution, daemon = (ports.choose() for _ in range(3))
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._log = folder / "out.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None
        # The package's own wrapper on the PATH would change to the user of the system's broker.
        self._program = next(
            (str(path) for path in Path("/usr/lib/rabbitmq").glob("lib/rabbitmq_server-*/sbin/rabbitmq-server")),
            which("rabbitmq-server") or "rabbitmq-server",
        )
        self._environment = os.environ | {
            "HOME": str(folder), "RABBITMQ_NODENAME": f"remit{self.port}@localhost", "ERL_EPMD_PORT": str(daemon),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"), "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"), "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }  # fmt: skip

    def start(self) -> None:
        """Serve; returns when it answers."""
        with self._log.open("ab") as log:
            if self._mapper is None:
                # Else the server starts one that outlives it.
                self._mapper = subprocess.Popen(["epmd"], env=self._environment, stdout=log, stderr=log)
            self._process = subprocess.Popen([self._program], env=self._environment, stdout=log, stderr=log,
                                             start_new_session=True)  # fmt: skip
        deadline = time.monotonic() + 60
        while not self.answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.2)

    def kill(self) -> None:
        """End it without a farewell."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it, and the mapper of its ports."""
        self.kill()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except (OSError, OperationalError):
            return False
        return True

    def ready(self) -> int:
        """How many messages of the queue nobody has yet."""
        with Connection(self.url) as connection:
            return int(connection.default_channel.queue_declare(QUEUE, passive=True).message_count)

    def empty(self) -> list[str]:
        """All messages of the queue are gone that nobody has yet; what each said of its arguments."""
        said = []
        with Connection(self.url) as connection:
            channel = connection.default_channel
            while (message := channel.basic_get(QUEUE, no_ack=True)) is not None:
                said.append(str(message.headers.get("argsrepr", "")))
        return said


class RabbitBells:
    """The bells of a storm on a RabbitMQ; each worker has a way of its own to it."""

    def __init__(self, broker: RabbitMQ, ways: Sequence[Proxy]) -> None:
        self.address, self.ways = broker.url, ways
        self._broker = broker

    def lose(self) -> set[UUID]:
        """All messages that no worker has in its hand are gone; the runs that they named."""
        return named(self._broker.empty())

    def unread(self) -> int:
        """How many messages no worker has seen yet."""
        return self._broker.ready()

    def fall(self) -> int:
        """It is killed, and started again; how many connections of workers broke."""
        broken = sum(one.connections for one in self.ways)
        self._broker.kill()
        self._broker.start()
        return broken
