"""What the tests of the launcher share: directories, waiting, and a Remit made of tiny programs."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.launch import environment, ports
from config.launch.cluster import Cluster
from tests.config.launch.wheels import build_wheel

PLATFORM = Path(__file__).resolve().parents[3] / "platform"
QUICK = {"fsync": "off"}


@pytest.fixture(autouse=True)
def _no_operator_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite's own database is not the launcher's business."""
    for name in [name for name in os.environ if name.startswith(("DATABASE_", "BROKER_URL", "REMIT_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _hang_ups_count() -> Iterator[None]:
    """A suite that runs under nohup hands its ignorance of SIGHUP down, and `up` would respect it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder with a short path that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="remit-launch-"))
    folder.chmod(0o755)
    yield folder / "var"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cluster(data_dir: Path) -> Iterator[Cluster]:
    """A quick cluster, not yet started, stopped at the end."""
    made = Cluster(data_dir, settings=QUICK)
    yield made
    made.stop()


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Wait for a fact; fails loudly when it does not come."""

    def wait(fact: Callable[[], object], *, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not fact():
            assert time.monotonic() < deadline, f"not within {seconds} s"
            time.sleep(0.02)

    return wait


@pytest.fixture
def lives() -> Callable[[int], bool]:
    """Whether a process runs (one that only waits to be collected does not)."""

    def answer(pid: int) -> bool:
        found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
        return bool(found.stdout.strip()) and not found.stdout.strip().startswith("Z")

    return answer


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose locks name little 1.0 (run) and little 2.0 (dev), found on this disk only."""
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    top = f"--no-index\n--find-links {tmp_path}\n"
    (tmp_path / "requirements.lock").write_text(top + build_wheel(tmp_path, "1.0"))
    (tmp_path / "requirements-dev.lock").write_text(top + build_wheel(tmp_path, "2.0"))
    return tmp_path


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Take uv from the PATH, or leave it."""

    def take(installer: str) -> None:
        if installer == "pip":
            monkeypatch.setattr(environment, "_working_uv", lambda: None)

    return take


MANAGE = """
    import os, pathlib, sys
    with pathlib.Path(os.environ["TOLD"]).open("a") as told:
        print(*sys.argv[1:], file=told)
    if sys.argv[1] == os.environ.get("FAILING"):
        sys.exit("OperationalError: it does not work")
    if sys.argv[1] == "sign_in_link":
        print("http://127.0.0.1/sign-in/link/once/")
"""

SERVING = """
    import http.server, os, pathlib, signal, sys

    def end(*_):
        with pathlib.Path(os.environ["TOLD"]).open("a") as told:
            print("end", sys.argv[1], file=told)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    with pathlib.Path(os.environ["TOLD"]).open("a") as told:
        print("start", sys.argv[1], file=told)
    if sys.argv[1] == os.environ.get("FAILING"):
        sys.exit("ImportError: it does not work")

    class Fine(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    if len(sys.argv) > 2:
        http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Fine).serve_forever()
    while True:
        signal.sigtimedwait([], 0.1)  # not pause(): a signal that comes just before it would wait for the next one
"""

DRIVER = """
    import pathlib, signal, sys
    sys.path.insert(0, sys.argv[1])
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the suite itself may have been started by nohup
    from config.launch import options, up
    from config.launch.failure import LaunchError

    def serving(programs, port):
        part = programs._part
        return [part("web", "serving.py", "web", str(port)), part("worker", "serving.py", "worker"),
                part("scheduler", "serving.py", "scheduler")]

    root = pathlib.Path(sys.argv[2])
    try:
        sys.exit(up.run(up.Up(root, options.read(root, sys.argv[3:]), serving=serving)))
    except LaunchError as error:
        sys.exit(str(error))
"""


class SmallRemit:
    """The real supervisor and Postgres, with programs of a few lines in place of Django."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = ports.choose()
        self.told = root / "told"
        self.data = root / "var"
        self.running: list[subprocess.Popen[str]] = []
        for name, text in (("manage.py", MANAGE), ("serving.py", SERVING), ("driver.py", DRIVER)):
            (root / name).write_text(textwrap.dedent(text))

    def up(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Start it; standard output and errors can be read from the process."""
        command = [sys.executable, str(self.root / "driver.py"), str(PLATFORM), str(self.root)]
        process = subprocess.Popen(
            [*command, "--port", str(self.port), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TOLD": str(self.told)} | environment,
        )
        self.running.append(process)
        return process

    def ready(self, *options: str) -> subprocess.Popen[str]:
        """Start it and read on until it greets."""
        process = self.up(*options)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Sign in"):
                return process
        raise AssertionError(process.stderr.read() if process.stderr else "")

    def pid(self, name: str) -> int:
        return int((self.data / "run" / f"{name}.pid").read_text())

    def end_all(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)
        self.running.clear()

    def lines(self) -> list[str]:
        return self.told.read_text().splitlines()


@pytest.fixture
def small_remit(data_dir: Path) -> Iterator[SmallRemit]:
    made = SmallRemit(data_dir.parent)
    yield made
    made.end_all()
