"""Imports point one way: config → console → governance → agents → foundation. The contract stands in pyproject.toml."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

PLACES = ("", "platform")
BELOW_ALL_LAYERS = {
    "foundation.errors": "the errors that services raise; it imports nothing of ours",
    "foundation.digests": "digests of JSON; it knows only the errors",
    "foundation.inputs": "checks of what people typed; it knows only actors and errors",
    "foundation.keys": "the installation's keys; it imports nothing of ours",
}
# audit.plain makes text fit for any record, and itself knows nothing of ours.
THEY_MAY_IMPORT = {"foundation.actors", "foundation.ids", "foundation.audit.plain", *BELOW_ALL_LAYERS}


def _contract(root: Path) -> dict[str, Any]:
    contract: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    return contract


def _layers(contract: dict[str, Any]) -> dict[str, set[str]]:
    """The names that each container's layers list."""
    return {
        container: {name.strip() for layer in one["layers"] for name in layer.replace(":", "|").split("|")}
        for one in contract["contracts"]
        for container in one.get("containers", [])
    }


def _children(root: Path, container: str) -> set[str]:
    folder = next(root / place / container for place in PLACES if (root / place / container / "__init__.py").exists())
    return {
        entry.stem for entry in folder.iterdir()
        if not entry.stem.startswith("_") and (entry.suffix == ".py" or (entry / "__init__.py").exists())
    }  # fmt: skip


def test_the_contract_is_kept(root: Path):
    program = Path(sys.executable).parent / "lint-imports"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "platform")])}
    asked = subprocess.run(
        [str(program), "--no-cache"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, (
        "An import points the wrong way: move the code to the layer that may know both, or hand the value down.\n"
        + asked.stdout[-4_000:] + asked.stderr[-1_000:]
    )  # fmt: skip


def test_every_package_is_under_the_contract(root: Path):
    packages = {
        folder.name for place in PLACES for folder in (root / place).iterdir() if (folder / "__init__.py").exists()
    }
    known = set(_contract(root)["root_packages"])
    assert packages == known, (
        f"Name in [tool.importlinter] of pyproject.toml, and in its layers, what differs: {sorted(packages ^ known)}."
    )


def test_every_app_has_its_layer(root: Path):
    layers = _layers(_contract(root))
    assert set(layers) == {"foundation", "agents", "governance"}
    unlisted = sorted(
        f"{container}.{child}"
        for container, listed in layers.items()
        for child in _children(root, container) - listed
        if f"{container}.{child}" not in BELOW_ALL_LAYERS
    )
    assert not unlisted, (
        f"No layer of pyproject.toml names {', '.join(unlisted)}, so its imports may point anywhere: add it to one."
    )


def test_what_has_no_layer_knows_next_to_nothing(sources: list[Any]):
    ours = {"config", "console", "foundation", "agents", "governance"}
    seen = set()
    for source in sources:
        module = source.name.removeprefix("platform/").removesuffix(".py").replace("/", ".")
        if module not in BELOW_ALL_LAYERS:
            continue
        seen.add(module)
        imported = {node.module for node in ast.walk(source.tree) if isinstance(node, ast.ImportFrom) and node.module}
        wide = sorted(name for name in imported - THEY_MAY_IMPORT if name.split(".")[0] in ours)
        assert not wide, f"{source.name} imports {', '.join(wide)}: give it a layer in pyproject.toml."
    stale = sorted(BELOW_ALL_LAYERS.keys() - seen)
    assert not stale, f"Take {', '.join(stale)} off the list: there is no such module any more."
