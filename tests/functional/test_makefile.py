"""Every target of the Makefile is run: here, by the tests of the documents, or by ``.ci/run``.

So is the one program that no target runs, which draws a picture of the documents.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT, check_out, environment, make
from documents import all_blocks, blocks, steps
from PIL import Image

MODEL = "models/erase-s/model.onnx"

# Target → its arguments on a small setting, and what it prints then.
SMALL: dict[str, tuple[list[str], str]] = {
    "help": ([], r"  make demo +Cut out real photographs"),
    "invoke": (["EVENT=events/rest-error-bad-color.json"], r"^400 in \d+ ms$"),
    "fleet": (["ARGS=--runs 1"], r"^Measured: 3 MP in [\d.]+ s of one core, .*1 PUT"),
    "buildable": ([], ""),
    "checkov": ([], ""),
    "same-parameters": ([], ""),
    "load": (["MINUTES=0.1"], r"^\| cutout \| \d+ \|(.|\n)*^0 answers were wrong$"),
    "fuzz": (["MINUTES=0.1"], r"^\| s3 \| [1-9][\d,]* \| 1 \| 0 \|$"),
    "cutout": (["IN=tests/data/photo.jpg", "OUT=demo/photo.webp", "ARGS=--size preview"], ""),
    "smoke": (["URL=", "KEY=local"], ""),
    "model": (
        ["NAME=own", "LICENCE=MIT", f"FILE={MODEL}", "CARD=--input-size 352 --output alpha"],
        r"models/own is added: (.|\n)*^\| own 1 \| ",
    ),
}

# Target → the file that runs it, and the text there that does.
ELSEWHERE = {
    "test": (".ci/run", r"^make test "),
    "lint": (".ci/run", r"^make lint "),
    "e2e": (".ci/run", r"^ *make e2e "),
    "bench-edges": (".ci/run", r"^make bench-edges "),
    "mutants": (".ci/run", r"^make mutants "),
    "build": ("tests/e2e/test_runtime.py", r'\["make", "build", '),
}

BY_DOCUMENTS = {"demo", "serve", "serve-s3", "bench"}
"""The documents' blocks have them, and test_documents runs the blocks."""

FAILS = {"invoke", "smoke"}  # one has the answer's exit status, the other was given no URL

HERE = {"deploy", "clean"}  # by tests of their own

U2NETP = 'parameter_overrides = "Architecture=x86_64 ModelName=u2netp"'

SAM = """#!/bin/sh
echo "sam $*" >> "$SAM_CALLS"
[ "$1" = deploy ] || echo "ARCHITECTURE=$ARCHITECTURE MODEL_NAME=$MODEL_NAME" >> "$SAM_CALLS"
if [ "$1" = deploy ] && [ -n "$SAM_KEEPS" ]; then
  printf '[default.deploy.parameters]\nparameter_overrides = "%s"\n' "$SAM_KEEPS" > samconfig.toml
fi
"""

# Calls the targets of the folders that need no network, as `sam build` calls them.
BUILDER = """#!/bin/sh
from=$PWD to=$PWD/.aws-sam && cd "$(mktemp -d)" || exit
make --makefile "$from/models/Makefile" build-ModelLayer ARTIFACTS_DIR="$to/model" &&
make --makefile "$from/function/Makefile" build-ApiFunction ARTIFACTS_DIR="$to/function" &&
make --makefile "$from/layers/deps/Makefile" --dry-run build-DepsLayer ARTIFACTS_DIR=/deps
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh checkout, with two more models for a SAM that does not look into them."""
    folder = tmp_path_factory.mktemp("makefile")
    check_out(folder)
    for name in ("mine", "u2netp"):
        (folder / "models" / name).mkdir()
        (folder / "models" / name / "card.toml").touch()
    return folder


def targets() -> set[str]:
    """Return the targets that have a name for people."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    described = re.findall(r"^([a-z0-9-]+):.*?##", text, re.MULTILINE)
    return {*phony.split(), *described} - {"FORCE"}


def test_every_target_is_run_somewhere() -> None:
    """A new target needs a row in one of the tables above."""
    assert {*SMALL, *ELSEWHERE} | BY_DOCUMENTS | HERE == targets()


@pytest.mark.parametrize("target", ELSEWHERE)
def test_it_is_run_where_the_table_says(target: str) -> None:
    """The text that runs it is in that file."""
    file, text = ELSEWHERE[target]
    assert re.search(text, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("target", sorted(BY_DOCUMENTS))
def test_a_document_runs_it(target: str) -> None:
    """In a block that is run."""
    lines = [
        line
        for block in all_blocks(ROOT)
        if block.is_shell and not block.reason
        for step in steps(block)
        for line in step.commands.splitlines()
    ]
    assert [line for line in lines if re.match(rf"(\w+=\S+ +)*make {target}( |$)", line)]


@pytest.mark.parametrize("target", SMALL)
def test_it_runs_on_a_small_setting(checkout: Path, target: str) -> None:
    """The target itself, from a fresh checkout."""
    arguments, printed = SMALL[target]
    done = make(checkout, target, *arguments)
    assert re.search(printed, done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert bool(done.returncode) is (target in FAILS), done.stderr


def test_cutout_makes_the_folder_that_it_writes_to_by_itself(checkout: Path) -> None:
    """Without OUT=, before any other target has made demo/."""
    shutil.rmtree(checkout / "demo", ignore_errors=True)
    done = make(checkout, "cutout", "IN=tests/data/photo.jpg", "ARGS=--size preview")
    assert done.returncode == 0, done.stderr
    assert (checkout / "demo/photo.png").exists()


# What a shell or make would run, expand or take apart.
ODD = """it's `touch ran` $(shell touch ran) $HOME $$ "a" b;c&d #1"""


def test_a_file_may_have_any_name(checkout: Path) -> None:
    """It reaches the program as it was given, and nothing in it is run."""
    photo, result = f"{ODD}.jpg", f"demo/{ODD}.webp"
    shutil.copy(checkout / "tests/data/photo.jpg", checkout / photo)
    done = make(checkout, "cutout", f"IN={photo}", f"OUT={result}", "ARGS=--size preview")
    assert done.returncode == 0, done.stderr
    assert (checkout / result).is_file()
    done = make(checkout, "cutout", "ARGS=--size preview --overwrite", IN=photo, OUT=result)
    assert done.returncode == 0, done.stderr
    assert not (checkout / "ran").exists()
    (checkout / photo).unlink()


def test_a_path_may_begin_with_the_home_folder(checkout: Path, tmp_path: Path) -> None:
    """Not every shell knows a ~ behind an =, and none knows it in quotation marks."""
    (tmp_path / "a  b~").mkdir()
    shutil.copy(checkout / "tests/data/photo.jpg", tmp_path / "a  b~/~1.jpg")
    given = ("IN=~/a  b~/", "OUT=~/cut  outs~/", "ARGS=--size preview")
    done = make(checkout, "cutout", *given, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cut  outs~/~1.png").is_file()
    assert not (checkout / "~").exists()
    done = make(checkout, "invoke", "EVENT=~/none.json", HOME=str(tmp_path))
    assert f"{tmp_path}/none.json: No such file" in done.stderr
    done = make(checkout, "cutout", "IN=a ~/b", "OUT=~", HOME=str(tmp_path))
    assert "error: a ~/b: there is no such file or folder" in done.stderr


@pytest.mark.parametrize(
    ("target", "given", "said"),
    [
        ("invoke", [f"EVENT={ODD}.json"], f"{ODD}.json: No such file or directory"),
        ("smoke", [f"URL={ODD}"], "URL must be the output Url of the stack"),
        ("smoke", [f"URL=http://127.0.0.1:1/{ODD}", "KEY=a$b"], f"http://127.0.0.1:1/{ODD}: "),
        ("smoke", ["URL=http://127.0.0.1:1", f"KEY={ODD}"], "Nobody answers at "),
        ("model", [f"NAME={ODD}", "LICENCE=MIT", "FILE=none.onnx"], repr(ODD)),
        ("model", ["NAME=odd", f"LICENCE={ODD}", f"FILE={ODD}.onnx"], f"{ODD}.onnx"),
    ],
)
def test_a_text_reaches_the_program_as_it_was_given(
    checkout: Path, target: str, given: list[str], said: str
) -> None:
    """Its refusal repeats it, and nothing in it is run."""
    done = make(checkout, target, *given)
    assert done.returncode != 0
    assert said in done.stderr
    assert not (checkout / "ran").exists()


@pytest.mark.parametrize(
    ("some", "installs"),
    [
        ("tests/unit/test_color.py", False),
        ("tests/unit/test_sbom.py", True),
        ("tests/template/test_linters.py -k checkov", True),
    ],
)
def test_only_tests_that_need_checkov_install_it(
    checkout: Path, some: str, *, installs: bool
) -> None:
    """Here pip finds no package."""
    (stamp,) = (checkout / ".venv/checkov").glob(".made-*")
    stamp.unlink()
    done = make(checkout, "test", f"ARGS={some}", PIP_NO_INDEX="1")
    stamp.parent.mkdir(exist_ok=True)
    stamp.touch()
    assert (done.returncode != 0) is installs, done.stdout + done.stderr
    assert ("Installing checkov into .venv/checkov/" in done.stdout) is installs


def test_load_says_why_the_service_does_not_start(checkout: Path) -> None:
    """In the service's own words, and before any package is installed for it."""
    done = make(checkout, "load", "RIE=1", "MODEL_NAME=nosuch", "MINUTES=0.1")
    assert done.returncode != 0
    assert f"There is no model nosuch in {checkout}/models." in done.stderr
    assert "\nThe service did not start.\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_picture_of_edges_is_drawn(checkout: Path, tmp_path: Path) -> None:
    """As its program says in its first lines; the picture has the size of the one that is shown."""
    picture = tmp_path / "edges.jpg"
    subprocess.run(
        [checkout / ".venv/bin/python", "tests/bench/edge_crops.py", picture],
        cwd=checkout,
        env=environment(),
        check=True,
    )
    with Image.open(picture) as drawn, Image.open(ROOT / "tests/pictures/edges.jpg") as shown:
        assert drawn.size == shown.size


@pytest.fixture
def sam(checkout: Path, tmp_path: Path) -> dict[str, str]:
    """Put a SAM that only writes down how it is called first on the path."""
    (tmp_path / "sam").write_text(SAM, encoding="utf-8")
    (tmp_path / "sam").chmod(0o755)
    (checkout / "samconfig.toml").unlink(missing_ok=True)
    return {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SAM_CALLS": str(tmp_path / "calls"),
    }


def keep(checkout: Path, *lines: str) -> None:
    """Write lines about ``sam deploy`` into a samconfig.toml, as ``--guided`` does."""
    text = "\n".join(["version = 0.1", "[default.deploy.parameters]", *lines, ""])
    (checkout / "samconfig.toml").write_text(text, encoding="utf-8")


def calls(sam: dict[str, str]) -> list[str]:
    """Return what that SAM has written down so far."""
    written = Path(sam["SAM_CALLS"])
    return written.read_text(encoding="utf-8").splitlines() if written.exists() else []


def refusal(checkout: Path, sam: dict[str, str], *variables: str) -> str:
    """Return what ``make deploy`` says that refuses to deploy, before SAM is called at all."""
    done = make(checkout, "deploy", "SAM=sam", *variables, **sam)
    assert done.returncode != 0
    assert calls(sam) == []
    return done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ARCHITECTURE=arm", "ARCHITECTURE= must be x86_64 or arm64, and not arm.\n"),
        ("ARCHITECTURE=", "ARCHITECTURE= must be x86_64 or arm64, and not .\n"),
        ("MODEL_NAME=nope", "There is no model nope in models/. MODEL_NAME= must be one of "),
        ("MODEL_NAME=erase-s,nope", "; make model NAME=nope adds a public one.\n"),
        ("MODEL_NAME=erase-s, mine", "There is no model  mine in models/."),
        ("MODEL_NAME=erase-s,", "There is no model  in models/."),
        ("MODEL_NAME=", "There is no model  in models/."),
    ],
)
@pytest.mark.parametrize("target", ["build", "deploy", "same-parameters"])
def test_what_cannot_be_built_is_said_before_anything_is_made(
    checkout: Path, sam: dict[str, str], target: str, given: str, said: str
) -> None:
    """Neither the environment of these programs nor a SAM is installed for it."""
    done = make(checkout, target, given, "SAM=", "PYTHON=/bin/false", "VENV=.none", **sam)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Python 3.11" not in done.stderr
    assert not (checkout / ".aws-sam/cli").exists()


def test_several_models_can_be_built(checkout: Path, sam: dict[str, str]) -> None:
    """Their names have commas between them."""
    done = make(checkout, "build", "MODEL_NAME=erase-s,mine", "SAM=sam", **sam)
    assert done.returncode == 0, done.stderr
    assert calls(sam)[0].endswith(" ModelName=erase-s,mine")


def test_deploy_is_guided_the_first_time(checkout: Path, sam: dict[str, str]) -> None:
    """Then build and deployment get the same parameters."""
    done = make(checkout, "deploy", "ARCHITECTURE=arm64", "SAM=sam", **sam)
    assert done.returncode == 0, done.stderr
    assert calls(sam) == [
        "sam build --parameter-overrides Architecture=arm64 ModelName=erase-s",
        "ARCHITECTURE=arm64 MODEL_NAME=erase-s",
        (
            "sam deploy --guided --stack-name cutout "
            "--parameter-overrides Architecture=arm64 ModelName=erase-s"
        ),
    ]


def test_deploy_is_not_guided_where_another_file_keeps_the_answers(
    checkout: Path, sam: dict[str, str]
) -> None:
    """The name of its stack must not give way to the one that SAM suggests the first time."""
    another = checkout / "another.toml"
    text = f'[default.deploy.parameters]\nstack_name = "shop"\n{U2NETP}\n'
    another.write_text(text, encoding="utf-8")
    given = ("MODEL_NAME=u2netp", "SAM=sam", "ARGS=--config-file another.toml")
    assert make(checkout, "deploy", *given, **sam).returncode == 0
    another.unlink()
    assert make(checkout, "deploy", *given, **sam).returncode == 0
    assert [call for call in calls(sam) if call.startswith("sam deploy")] == [
        "sam deploy --config-file another.toml",
        (
            "sam deploy --guided --stack-name cutout --parameter-overrides Architecture=x86_64"
            " ModelName=u2netp --config-file another.toml"
        ),
    ]


@pytest.mark.parametrize(
    ("answers", "another"),
    [
        ("Architecture=arm64 ModelName=erase-s", "architecture than ARCHITECTURE=x86_64"),
        ("Architecture=x86_64 ModelName=mine", "model than MODEL_NAME=erase-s"),
    ],
)
def test_an_answer_that_differs_from_what_was_built_is_said(
    checkout: Path, sam: dict[str, str], answers: str, another: str
) -> None:
    """SAM asks for every parameter, after the build. Such a deployment cuts out nothing."""
    done = make(checkout, "deploy", "SAM=sam", **sam, SAM_KEEPS=answers)
    assert done.returncode != 0
    assert f"samconfig.toml names another {another}: write " in done.stderr
    (checkout / "samconfig.toml").unlink()
    right = "Architecture=x86_64 ModelName=erase-s"
    assert make(checkout, "deploy", "SAM=sam", **sam, SAM_KEEPS=right).returncode == 0


def test_deploy_takes_the_answers_that_are_kept(checkout: Path, sam: dict[str, str]) -> None:
    """With a samconfig.toml it asks nothing, and refuses another model than that file names."""
    keep(checkout, 'parameter_overrides = "Architecture=\\"x86_64\\" ModelName=\\"erase-s\\""')
    done = make(checkout, "deploy", "MODEL_NAME=u2netp", "SAM=sam", **sam)
    assert done.returncode != 0
    assert "samconfig.toml names another model than MODEL_NAME=u2netp" in done.stderr
    assert calls(sam) == []
    assert make(checkout, "deploy", "SAM=sam", "ARGS=--no-confirm-changeset", **sam).returncode == 0
    assert "sam deploy --no-confirm-changeset" in calls(sam)


def test_deploy_takes_the_file_that_the_document_shows(checkout: Path, sam: dict[str, str]) -> None:
    """Whoever has lost the answers is asked nothing, since Enter would set all parameters back."""
    text = (ROOT / ".github/DEPLOYMENT.md").read_text(encoding="utf-8")
    (block,) = (block for block in blocks(text, "DEPLOYMENT.md") if block.language == "toml")
    (checkout / "samconfig.toml").write_text(block.text, encoding="utf-8")
    done = make(checkout, "deploy", "SAM=sam", **sam)
    assert done.returncode == 0, done.stderr
    assert calls(sam)[-1] == "sam deploy"


def test_arguments_of_deploy_are_none_of_build(checkout: Path, sam: dict[str, str]) -> None:
    """``sam build`` knows few options of ``sam deploy``, and ends with a usage error at others."""
    keep(checkout, 'stack_name = "cutout"')
    built = "--parameter-overrides Architecture=x86_64 ModelName=erase-s"
    assert make(checkout, "deploy", "SAM=sam", "ARGS=--guided", **sam).returncode == 0
    assert make(checkout, "build", "SAM=sam", "ARGS=--parallel", **sam).returncode == 0
    assert [call for call in calls(sam) if call.startswith("sam ")] == [
        f"sam build {built}",
        f"sam deploy {built} --guided",
        f"sam build {built} --parallel",
    ]


@pytest.mark.parametrize(
    ("kept", "given", "no"),
    [
        ("Architecture=x86_64", "MODEL_NAME=u2netp", "model"),
        ("ModelName=erase-s", "ARCHITECTURE=arm64", "architecture"),
        # What the template has as its default was built, and the stack may have another one.
        ("Architecture=x86_64", "MODEL_NAME=erase-s", "model"),
        ("ModelName=erase-s", "ARCHITECTURE=x86_64", "architecture"),
    ],
)
def test_deploy_refuses_what_the_kept_answers_do_not_say(
    checkout: Path, sam: dict[str, str], kept: str, given: str, no: str
) -> None:
    """SAM leaves a parameter that they do not name as the stack has it."""
    keep(checkout, f'parameter_overrides = "MemoryMb=3008 {kept}"')
    assert refusal(checkout, sam, given).startswith(f"samconfig.toml names no {no}, so ")


@pytest.mark.parametrize(
    "kept",
    [
        'stack_name = "cutout"\nregion = "eu-west-1"',
        '# parameter_overrides = "ModelName=u2netp"',
        '[default.build.parameters]\nparameter_overrides = "ModelName=u2netp"',
        '[other.deploy.parameters]\nparameter_overrides = "ModelName=u2netp"',
    ],
)
def test_deploy_gives_what_is_built_where_the_file_has_no_parameters_of_deploy(
    checkout: Path, sam: dict[str, str], kept: str
) -> None:
    """SAM would deploy the template's defaults, beside what was built."""
    keep(checkout, kept)
    assert make(checkout, "deploy", "MODEL_NAME=u2netp", "SAM=sam", **sam).returncode == 0
    assert "sam deploy --parameter-overrides Architecture=x86_64 ModelName=u2netp" in calls(sam)


@pytest.mark.parametrize(
    ("kept", "arguments"),
    [
        ('parameter_overrides = ["Architecture=x86_64", "MemoryMb=3008", "ModelName=u2netp"]', ""),
        (
            'parameter_overrides = {Architecture="x86_64", MemoryMb=3008, ModelName="u2netp"}',
            "",
        ),
        (
            (
                'parameter_overrides = "ParameterKey=Architecture,ParameterValue=x86_64'
                ' ParameterKey=ModelName,ParameterValue=u2netp"'
            ),
            "--no-confirm-changeset",
        ),
        (f"[default.global.parameters]\n{U2NETP}", ""),
        (f"[my.deploy.parameters]\n{U2NETP}", "--config-env my"),
    ],
)
def test_deploy_reads_parameters_as_sam_does(
    checkout: Path, sam: dict[str, str], kept: str, arguments: str
) -> None:
    """In each form, for all commands, and of the environment that is asked for."""
    keep(checkout, kept)
    given = f"ARGS={arguments}"
    said = refusal(checkout, sam, given)
    assert "samconfig.toml names another model than MODEL_NAME=erase-s" in said
    assert make(checkout, "deploy", "MODEL_NAME=u2netp", "SAM=sam", given, **sam).returncode == 0
    assert calls(sam)[-1] == f"sam deploy {arguments}".strip()


@pytest.mark.parametrize("kept", [U2NETP, 'stack_name = "cutout"'])
def test_parameters_in_arguments_take_the_place_of_those_in_the_file(
    checkout: Path, sam: dict[str, str], kept: str
) -> None:
    """SAM takes all of them from one place, so these must name what was built, too."""
    keep(checkout, kept)
    given = "--parameter-overrides MemoryMb=3008 ModelName=u2netp"
    said = refusal(checkout, sam, "MODEL_NAME=u2netp", f"ARGS={given}")
    assert said.startswith("ARGS names no architecture, so ")
    assert "write Architecture=x86_64 into its --parameter-overrides." in said
    given = f"{given} Architecture=x86_64 --no-confirm-changeset"
    done = make(checkout, "deploy", "SAM=sam", "MODEL_NAME=u2netp", f"ARGS={given}", **sam)
    assert done.returncode == 0
    assert calls(sam)[-1] == f"sam deploy {given}"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("format=jpeeg", "DEFAULT_OPTIONS: format must be one of "),
        ("colour=white", "DEFAULT_OPTIONS: there is no option colour."),
        ("model=u2netp", "DEFAULT_OPTIONS: model must be "),
        ("white", "DEFAULT_OPTIONS must be options such as format=webp&bg_color=white."),
    ],
)
def test_deploy_refuses_options_that_the_worker_refuses(
    checkout: Path, sam: dict[str, str], options: str, problem: str
) -> None:
    """CloudFormation takes them, and then every upload ends in the dead-letter queue."""
    built = "Architecture=x86_64 ModelName=erase-s"
    keep(checkout, f'parameter_overrides = "{built} DefaultOptions=\\"{options}\\""')
    said = refusal(checkout, sam)
    assert said.startswith(
        f"samconfig.toml has DefaultOptions={options} in its parameter_overrides, and the worker"
        f" for S3 would not start with them. Invalid settings: {problem}"
    )
    assert ".." not in said
    given = f"ARGS=--parameter-overrides {built} 'DefaultOptions={options}'"
    said = refusal(checkout, sam, given)
    assert said.startswith(f"ARGS has DefaultOptions={options} in its --parameter-")
    keep(checkout, f'parameter_overrides = "{built} DefaultOptions=\\"format=jpeg&size=hd\\""')
    assert make(checkout, "deploy", "SAM=sam", **sam).returncode == 0


@pytest.mark.parametrize(("reserved", "at_once"), [("2", "5"), ("1", "2"), ("9", "10")])
def test_deploy_refuses_to_take_more_uploads_than_may_run(
    checkout: Path, sam: dict[str, str], reserved: str, at_once: str
) -> None:
    """Lambda takes both numbers, and counts each upload that it does not run as tried."""
    built = "Architecture=x86_64 ModelName=erase-s"
    numbers = f"UploadReservedConcurrency={reserved} UploadConcurrency={at_once}"
    keep(checkout, f'parameter_overrides = "{built} {numbers}"')
    assert refusal(checkout, sam).startswith(
        f"samconfig.toml has UploadReservedConcurrency={reserved} and UploadConcurrency={at_once}"
        " in its parameter_overrides, so Lambda would take more uploads from the queue than it"
        " runs, and the others would end in the dead-letter queue. UploadReservedConcurrency must"
        f" be {at_once} or more, or 0 for no limit.\n"
    )
    given = f"ARGS=--parameter-overrides {built} {numbers}"
    said = refusal(checkout, sam, given)
    assert said.startswith(f"ARGS has UploadReservedConcurrency={reserved} and ")


@pytest.mark.parametrize(
    "numbers",
    [
        "UploadReservedConcurrency=0 UploadConcurrency=5",
        "UploadReservedConcurrency=5 UploadConcurrency=5",
        "UploadReservedConcurrency=10 UploadConcurrency=9",
        "UploadReservedConcurrency=2",
        "UploadConcurrency=5",
        "UploadReservedConcurrency= UploadConcurrency=five",
    ],
)
def test_deploy_takes_numbers_that_do_not_contradict_each_other(
    checkout: Path, sam: dict[str, str], numbers: str
) -> None:
    """What is missing stays as the stack has it, and CloudFormation refuses what is no number."""
    built = "Architecture=x86_64 ModelName=erase-s"
    keep(checkout, f'parameter_overrides = "{built} {numbers}"')
    assert make(checkout, "same-parameters", **sam).returncode == 0


def test_deploy_names_a_file_that_it_cannot_read(checkout: Path, sam: dict[str, str]) -> None:
    """Before anything is built."""
    keep(checkout, "parameter_overrides = ")
    said = refusal(checkout, sam)
    assert said.startswith("samconfig.toml cannot be read: Invalid value")


@pytest.mark.parametrize(
    ("saved", "is_said"),
    [
        (None, False),
        ('stack_name = "cutout"', False),
        (
            r'parameter_overrides = "Architecture=\"x86_64\" ModelName=\"mine\" MemoryMb=\"1769\""',
            False,
        ),
        (r'parameter_overrides = "MemoryMb=\"1769\" ModelName=\"erase-s\""', True),
        ('parameter_overrides = ["ModelName=mine-int8", "MemoryMb=1769"]', True),
    ],
)
def test_a_deployment_of_another_model_is_said(
    checkout: Path, saved: str | None, *, is_said: bool
) -> None:
    """`make deploy` builds one model, and what was saved may name another: that is said first."""
    (checkout / "samconfig.toml").unlink(missing_ok=True)
    if saved is not None:
        keep(checkout, saved)
    done = make(checkout, "same-parameters", "MODEL_NAME=mine")
    message = (
        "samconfig.toml names another model than MODEL_NAME=mine: write ModelName=mine into its"
        " parameter_overrides, or run make with the MODEL_NAME= that samconfig.toml has.\n"
    )
    assert (done.returncode != 0, message in done.stderr) == (is_said, is_said)


def test_a_deployment_of_another_architecture_is_said(checkout: Path) -> None:
    """Its layers would be for processors that the functions do not run on."""
    keep(checkout, r'parameter_overrides = "Architecture=\"arm64\" ModelName=\"erase-s\""')
    assert make(checkout, "same-parameters", "ARCHITECTURE=arm64").returncode == 0
    done = make(checkout, "same-parameters")
    assert done.returncode != 0
    said = done.stderr
    assert "names another architecture than ARCHITECTURE=x86_64: write Architecture=x86_64" in said


def test_it_builds_in_a_folder_whose_name_has_spaces(tmp_path: Path) -> None:
    """Neither the project's path nor SAM's is taken for several words."""
    clone, sam = tmp_path / "my own clone", tmp_path / "my tools" / "sam"
    clone.mkdir()
    check_out(clone)
    sam.parent.mkdir()
    sam.write_text(BUILDER, encoding="utf-8")
    sam.chmod(0o755)
    done = make(clone, "build", PATH=f"{sam.parent}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert (clone / ".aws-sam/model/models/erase-s/model.onnx").is_file()
    assert (clone / ".aws-sam/function/app.py").is_file()
    kinds = {path.suffix for path in (clone / ".aws-sam/function").rglob("*") if path.is_file()}
    assert kinds - {".pyc"} == {".py", ".html", ".css", ".js", ".webp"}  # neither text nor recipe
    assert f'"{clone}/.venv/bin/python" "{clone}/layers/deps/pack.py" ' in done.stdout


def test_the_layers_are_built_by_the_installed_python(
    checkout: Path, sam: dict[str, str], tmp_path: Path
) -> None:
    """PYTHON= says what makes .venv/, and need not have pip; nor do the targets inherit ``-j``."""
    (tmp_path / "sam").write_text(BUILDER, encoding="utf-8")
    done = make(checkout, "build", "PYTHON=/bin/false", "-j2", **sam)
    assert done.returncode == 0, done.stderr
    assert f'"{checkout}/.venv/bin/python" "{checkout}/models/' in done.stdout
    assert "jobserver" not in done.stderr


@pytest.mark.parametrize(
    ("folder", "target"),
    [
        ("models", "build-ModelLayer"),
        ("function", "build-ApiFunction"),
        ("layers/deps", "build-DepsLayer"),
    ],
)
def test_a_part_is_not_built_into_its_own_sources(checkout: Path, folder: str, target: str) -> None:
    """Without ARTIFACTS_DIR= nothing is written, and no file there gets the layers' date."""
    before = {path: path.stat().st_mtime for path in (checkout / folder).rglob("*")}
    done = make(checkout, "-C", folder, target)
    assert done.returncode != 0
    assert "name the folder: make … ARTIFACTS_DIR=/path/to/it" in done.stderr
    assert {path: path.stat().st_mtime for path in (checkout / folder).rglob("*")} == before


def test_a_part_says_which_python_it_needs() -> None:
    """`sam build` alone takes whatever python3 is there."""
    old = "import runpy, sys; sys.version_info = (3, 10, 13); runpy.run_path(sys.argv[1])"
    program = [sys.executable, "-c", old, str(ROOT / "layers/deps/pack.py")]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "Python 3.11 or newer is needed. Name one: PYTHON=python3.13 sam build\n"
    )


def test_clean_removes_what_the_targets_make(tmp_path: Path) -> None:
    """A checkout holds its own files afterwards, and the packages that it linked to are there."""
    check_out(tmp_path)
    before = {path for path in tmp_path.rglob("*") if not _is_made(path, tmp_path)}
    for made in (
        *("demo/result.png", ".aws-sam/build/template.yaml", "events/__pycache__/x.pyc"),
        ".coverage",
    ):
        (tmp_path / made).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / made).touch()
    assert make(tmp_path, "clean").returncode == 0
    assert set(tmp_path.rglob("*")) == before
    assert Path(pytest.__file__).is_file()


def _is_made(path: Path, root: Path) -> bool:
    return path.relative_to(root).parts[0] in {".venv", ".mypy_cache"}
