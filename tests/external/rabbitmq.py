"""A RabbitMQ of a test's own, on loopback, that can be killed, started again and emptied."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from shutil import which

from kombu import Connection
from kombu.exceptions import OperationalError

from config.launch import ports

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

    def do(self, what: str) -> None:
        """`restart`: after a crash; `purge`: all messages of the queue are gone."""
        if what == "restart":
            self.kill()
            self.start()
        elif what == "purge":
            with Connection(self.url) as connection:
                connection.default_channel.queue_purge(QUEUE)
