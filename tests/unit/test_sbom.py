"""The bill of materials and the licence list of a layer."""

import hashlib
import json
import shutil
from importlib.metadata import distribution
from pathlib import Path

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource

from checkov_home import checkov_home
from sbom import write_inventory

PACKAGES = ("numpy", "onnxruntime", "multipart")


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """Return a layer with what some installed packages say of themselves, and one library."""
    for name in PACKAGES:
        package = distribution(name)
        folder = tmp_path / "python" / f"{name}-{package.version}.dist-info"
        folder.mkdir(parents=True)
        (metadata,) = (file for file in package.files or () if file.match("*.dist-info/METADATA"))
        shutil.copyfile(str(package.locate_file(metadata)), folder / "METADATA")
    libraries = tmp_path / "python/pillow.libs"
    libraries.mkdir()
    (libraries / "libavif-1.so.16").write_bytes(b"code")
    return tmp_path


def test_the_bill_lists_packages_and_libraries(layer: Path) -> None:
    """Name, version, address and terms of each package; name and digest of each library."""
    write_inventory(layer, "deps")
    document = json.loads((layer / "sbom-deps.cdx.json").read_text(encoding="utf-8"))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    *packages, library = document["components"]
    versions = {name: distribution(name).version for name in PACKAGES}
    assert {one["purl"] for one in packages} == {
        f"pkg:pypi/{name}@{version}" for name, version in versions.items()
    }
    assert [one["name"] for one in packages] == sorted(PACKAGES)
    assert library == {
        "type": "file",
        "name": "pillow.libs/libavif-1.so.16",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(b"code").hexdigest()}],
    }


def test_the_list_names_every_licence(layer: Path) -> None:
    """One line for each package: an SPDX expression, or the name that the package gives."""
    write_inventory(layer, "deps")
    multipart, numpy, onnxruntime = (
        (layer / "LICENSES/deps.txt").read_text(encoding="utf-8").splitlines()
    )
    assert multipart == f"multipart {distribution('multipart').version}: MIT License"
    assert numpy.startswith(f"numpy {distribution('numpy').version}: BSD-3-Clause")
    assert onnxruntime == f"onnxruntime {distribution('onnxruntime').version}: MIT License"


def test_equal_layers_have_equal_files(layer: Path) -> None:
    """No date and no serial number."""
    written = []
    for _ in range(2):
        write_inventory(layer, "deps")
        written.append((layer / "sbom-deps.cdx.json").read_bytes())
    assert written[0] == written[1]


def test_a_package_without_a_licence_ends_the_build(layer: Path) -> None:
    """Somebody has to look before it is delivered."""
    folder = layer / "python/mystery-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: mystery\nVersion: 1\n")
    with pytest.raises(ValueError, match="mystery 1 names no licence"):
        write_inventory(layer, "deps")


def test_the_bill_is_cyclonedx(layer: Path) -> None:
    """By the format's own schema, which also knows SPDX's licences."""
    write_inventory(layer, "deps")
    document = json.loads((layer / "sbom-deps.cdx.json").read_text(encoding="utf-8"))
    # checkov brings a library with CycloneDX's own schemas.
    (folder,) = checkov_home().glob("lib/*/site-packages/cyclonedx/schema/_res")
    schemas = {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in folder.glob("*.SNAPSHOT.schema.json")
    }
    known = ((name, Resource.from_contents(schema)) for name, schema in schemas.items())
    registry: Registry[object] = Registry().with_resources(known)
    schema = schemas["bom-1.6.SNAPSHOT.schema.json"]
    # Its address is taken away, so that it finds the others by their files' names.
    validator = Draft7Validator(schema | {"$id": ""}, registry=registry)
    assert [error.message for error in validator.iter_errors(document)] == []
    document["components"][0]["licenses"] = [{"license": {"id": "no-such-licence"}}]
    assert not validator.is_valid(document)
