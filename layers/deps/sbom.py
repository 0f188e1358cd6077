"""What a layer holds and under which terms: a CycloneDX 1.6 bill of materials, and a licence list.

Both are read from the packages as they are installed, after trimming. They hold no date and no
serial number, so that equal layers have equal files.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

_CLASSIFIER = "License :: OSI Approved :: "
_LONGEST_NAME = 60  # characters: some packages write the whole text where its name belongs


def write_inventory(root: Path, part: str) -> None:
    """Write ``sbom-<part>.cdx.json`` and ``LICENSES/<part>.txt`` into a layer's root."""
    packages = sorted(_packages(root / "python"), key=lambda package: package["name"])
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": f"cutout-{part}-layer"}},
        "components": [*packages, *_libraries(root / "python")],
    }
    text = json.dumps(document, indent=1) + "\n"
    (root / f"sbom-{part}.cdx.json").write_text(text, encoding="utf-8")
    lines = [f"{one['name']} {one['version']}: {_named(one['licenses'])}\n" for one in packages]
    (root / "LICENSES").mkdir(exist_ok=True)
    (root / "LICENSES" / f"{part}.txt").write_text("".join(lines), encoding="utf-8")


def _packages(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield a component for each installed package."""
    for package in distributions(path=[str(folder)]):
        name = package.metadata["Name"].lower().replace("_", "-")
        yield {
            "type": "library",
            "name": name,
            "version": package.version,
            "purl": f"pkg:pypi/{name}@{package.version}",
            "licenses": _licences(package),
        }


def _licences(package: Distribution) -> list[dict[str, Any]]:
    """Return a package's licence: the SPDX expression where it has one, else its name.

    :raises ValueError: it names none, and somebody has to find out.
    """
    metadata = package.metadata
    if "License-Expression" in metadata:
        return [{"expression": metadata["License-Expression"]}]
    approved = [
        line.removeprefix(_CLASSIFIER)
        for line in metadata.get_all("Classifier", [])
        if line.startswith(_CLASSIFIER)
    ]
    name = "".join(metadata.get_all("License", []))
    if not name or len(name) > _LONGEST_NAME or "\n" in name:
        name = " or ".join(approved)
    if not name:
        raise ValueError(f"{metadata['Name']} {package.version} names no licence.")
    return [{"license": {"name": name}}]


def _named(licences: list[Mapping[str, Any]]) -> str:
    (licence,) = licences
    return str(licence.get("expression") or licence["license"]["name"])


def _libraries(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield a component for each compiled library that a wheel brings along, such as libheif."""
    for file in sorted(folder.glob("*.libs/*.so*")):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        yield {
            "type": "file",
            "name": file.relative_to(folder).as_posix(),
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }
