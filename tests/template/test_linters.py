"""What others' rules say of ``template.yaml``: cfn-lint, SAM and checkov."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from checkov_home import checkov_home
from cloudformation import ROOT, translated

BIN = Path(sys.prefix) / "bin"
SAM = next((str(p) for p in [BIN / "sam", ROOT / ".aws-sam/cli/bin/sam"] if p.exists()), None)
SAM = SAM or shutil.which("sam")
SETTINGS = ROOT / ".checkov.yaml"


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """Return what a command prints.

    :raises AssertionError: it failed; its own words are the message.
    """
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_cfn_lint_finds_nothing() -> None:
    """It reads the template as SAM translates it, for the types and limits of each resource."""
    assert run(BIN / "cfn-lint", "--non-zero-exit-code", "informational", "template.yaml") == ""


def test_every_region_can_deploy_the_defaults(tmp_path: Path) -> None:
    """What a region may lack, such as SnapStart, is turned on by a parameter."""
    written = tmp_path / "translated.json"
    written.write_text(json.dumps(translated()), encoding="utf-8")
    level = ("--non-zero-exit-code", "error", "--ignore-checks", "W", "I")
    assert run(BIN / "cfn-lint", *level, "--regions", "ALL_REGIONS", "--template", written) == ""


@pytest.mark.skipif(SAM is None, reason="sam is not installed; cfn-lint, whose rules it has, ran")
def test_sam_finds_nothing() -> None:
    """The same rules, by the program that deploys."""
    assert "is a valid SAM Template" in run(str(SAM), "validate", "--lint")


def test_checkov_finds_what_is_skipped_for_a_reason_and_nothing_else(tmp_path: Path) -> None:
    """In the template as written and as translated; no skip outlives what it was for."""
    skipped = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))["skip-check"]
    reasons = re.findall(r"- (\w+) +# .{20}", SETTINGS.read_text(encoding="utf-8"))
    assert reasons == skipped
    written = tmp_path / "translated.json"
    written.write_text(json.dumps(translated(), indent=1), encoding="utf-8")
    # From another folder, where it does not find the settings: so it tells all that it finds.
    report = json.loads(
        run(
            *(checkov_home() / "bin/checkov", "--framework", "cloudformation"),
            *("--skip-download", "--soft-fail", "--quiet", "--compact", "--output", "json"),
            *("--file", ROOT / "template.yaml", "--file", written),
            folder=tmp_path,
        )
    )
    assert report["summary"]["resource_count"] > 50
    failed = {check["check_id"] for check in report["results"]["failed_checks"]}
    assert sorted(failed) == sorted(skipped)
