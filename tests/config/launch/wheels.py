"""What the tests of `.venv` install: wheels that they build, by uv where it is and by pip where it is not."""

import base64
import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from config.launch import environment

has_uv = pytest.mark.skipif(environment._working_uv() is None, reason="uv is not on PATH")
installers = pytest.mark.parametrize("installer", [pytest.param("uv", marks=has_uv), "pip"])


def build_wheel(folder: Path, version: str, *, package: str = "little", needs: str = "") -> str:
    """A wheel of the package, which needs another one if so wished; returns its line for a lock."""
    name = f"{package}-{version}"
    needed = f"Requires-Dist: {needs}\n" if needs else ""
    files = {
        f"{package}.py": f"VERSION = {version!r}\n",
        f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n{needed}",
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    record = "".join(f"{path},sha256={digests[path]},{len(text)}\n" for path, text in files.items())
    wheel = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in (files | {f"{name}.dist-info/RECORD": record}).items():
            archive.writestr(path, text)
    return f"{package}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def installed(root: Path, package: str = "little") -> str:
    python = environment.python_of(root)
    program = f"import {package}; print({package}.VERSION)"
    answer = subprocess.run([python, "-c", program], capture_output=True, text=True)
    return answer.stdout.strip()
