"""A changed parameter, layer or function reaches what the API calls: a published version."""

import re
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from cloudformation import EVERYTHING, REGION, TEMPLATE, Deployment

PARAMETERS = TEMPLATE["Parameters"]
BUILT = [
    name
    for name, resource in TEMPLATE["Resources"].items()
    if {"CodeUri", "ContentUri"} & set(resource["Properties"]) and name != "UploadFunction"
]
# Values of parameters that have no list and no range of values to take another one from.
OTHERS = {
    "ModelName": "u2netp-int8",
    "ApiKeyHashes": "1" * 64,
    "AllowedOrigin": "https://shop.example",
    "AccountLabel": "photos@shop.example",
    "UploadPrefix": "photos/",
    "TargetPrefix": "cut/",
    "CatalogueBuckets": "third-shop",
    "CatalogueKmsKeys": "arn:aws:kms:eu-west-1:123456789012:key/other",
    "DefaultOptions": "format=jpg",
    "AlarmsEmail": "others@shop.example",
    "PermissionsBoundary": "arn:aws:iam::123456789012:policy/other",
}
STARTS = [pytest.param({}, id="defaults"), pytest.param(EVERYTHING, id="everything")]


def another(name: str, now: str) -> str:
    """Return a value that a parameter takes and that is not ``now``."""
    parameter = PARAMETERS[name]
    if name == "MemoryMb":
        return "3008"  # enough for any other value that a test has beside it
    if "AllowedValues" in parameter:
        return next(str(value) for value in parameter["AllowedValues"] if str(value) != now)
    if parameter["Type"] == "Number":
        return str(int(now) + 1)
    assert now != OTHERS[name]
    return OTHERS[name]


def published(deployment: Deployment) -> tuple[Any, Any]:
    """Return the function as it is configured, and the version that the API calls.

    A function's share of the account's concurrency is not part of a version.
    """
    (version_name,) = deployment.of_type("AWS::Lambda::Version")
    version = deployment.resources[version_name]["Properties"]
    (alias,) = deployment.of_type("AWS::Lambda::Alias").values()
    assert alias["FunctionVersion"] == f"{version_name}.Version"
    assert (version["FunctionName"], alias["FunctionName"]) == ("ApiFunction", "ApiFunction")
    function = deployment.of_type("AWS::Lambda::Function")["ApiFunction"]
    function = {n: v for n, v in function.items() if n != "ReservedConcurrentExecutions"}
    return function, (version_name, version["Description"])


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_makes_a_new_version_where_it_changes_the_function(
    name: str, start: dict[str, str]
) -> None:
    """And only there, because Lambda refuses to publish the same function twice."""
    now = start.get(name, str(PARAMETERS[name]["Default"]))
    function, version = published(Deployment(**start))
    new_function, new_version = published(Deployment(**{**start, name: another(name, now)}))
    assert (new_function != function) == (new_version != version)


def test_the_parameters_that_change_the_function() -> None:
    """So that the test above cannot pass by comparing nothing."""
    changed = set()
    for name, parameter in PARAMETERS.items():
        other = Deployment(**{name: another(name, str(parameter["Default"]))})
        if published(other)[0] != published(Deployment())[0]:
            changed.add(name)
    assert changed == {
        *("Architecture", "MemoryMb", "ModelName", "EnableHeic", "MaxPixels", "SnapStart"),
        *("ApiFlavor", "AllowedOrigin", "DefaultResponse", "AccountLabel"),
        *("MaxObjectBytes", "ResultUrlSeconds", "LogLevel", "FetchImageUrls", "ShowPages"),
    }


def at(path: str, resource: dict[str, Any]) -> Any:
    """Return what a resource has at a path such as ``/properties/Name``."""
    found: Any = resource.get("Properties", {})
    for step in path.split("/")[2:]:
        found = found.get(step) if isinstance(found, dict) else None
    return found


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_replaces_nothing_that_holds_data_or_has_an_address(
    name: str, start: dict[str, str]
) -> None:
    """CloudFormation's descriptions say which properties make a resource anew if they change."""
    now = start.get(name, str(PARAMETERS[name]["Default"]))
    before = Deployment(**start).resources
    after = Deployment(**{**start, name: another(name, now)}).resources
    replaced = set()
    for resource_name in set(before) & set(after):
        old, new = before[resource_name], after[resource_name]
        described = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, old["Type"]).schema
        fixed = described.get("createOnlyProperties", [])
        if any(at(path, old) != at(path, new) for path in fixed):
            replaced.add(old["Type"])
    assert replaced <= {"AWS::Lambda::Version", "AWS::Lambda::LayerVersion"}
    # Both buckets and queues are in every deployment.
    kept = {"AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::ApiGateway::RestApi"}
    assert not {before[gone]["Type"] for gone in set(before) - set(after)} & kept


@pytest.mark.parametrize("name", BUILT)
def test_what_is_built_anew_makes_a_new_version(name: str) -> None:
    """The function's code, and each of its layers."""
    function, version = published(Deployment())
    new_function, new_version = published(Deployment(rebuilt=name))
    assert new_function != function
    assert new_version != version


def test_cloudformation_replaces_a_version_whose_description_changes() -> None:
    """Its own description of the resource says so, and how long the text may be."""
    kind = "AWS::Lambda::Version"
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    assert "/properties/Description" in schema["createOnlyProperties"]
    longest = Deployment(
        Architecture="x86_64",
        MemoryMb="10240",
        MaxPixels="200000000",
        LogLevel="WARNING",
        DefaultResponse="inline",
        SnapStart="false",
        FetchImageUrls="false",
        ShowPages="false",
        **{
            name: "x" * PARAMETERS[name]["MaxLength"]
            for name in ("ModelName", "AllowedOrigin", "AccountLabel")
        },
        **{
            name: str(PARAMETERS[name]["MaxValue"])
            for name in ("MaxObjectBytes", "ResultUrlSeconds")
        },
    )
    _, (_, text) = published(longest)
    digits = sum(len(part) for part in text.split(" ")[2:5])  # of the layers' versions
    assert len(text) - digits + 3 * len("99999") <= schema["properties"]["Description"]["maxLength"]


def test_two_functions_never_have_the_same_description() -> None:
    """No value but the last one holds a space, so none can pass for two others."""
    parts = TEMPLATE["Resources"]["ApiFunction"]["Properties"]["VersionDescription"]["Fn::Join"]
    assert parts[0] == " "
    assert parts[1][-1] == {"Ref": "AccountLabel"}
    pattern = PARAMETERS["AllowedOrigin"]["AllowedPattern"]
    assert re.fullmatch(pattern, "https://shop.example")
    assert not re.fullmatch(pattern, "https://shop.example 1")


def test_a_site_that_no_browser_would_match_is_refused_before_the_deployment() -> None:
    """As the function itself refuses it, which would not start."""
    pattern = PARAMETERS["AllowedOrigin"]["AllowedPattern"]
    for site in ("*", "http://localhost:3000", "https://Shop.example:8443"):
        assert re.fullmatch(pattern, site)
    for site in ("https://*.shop.example", "https://shop.example/", "https://größe.example"):
        assert not re.fullmatch(pattern, site)


def test_no_old_version_is_kept() -> None:
    """Lambda charges for those that SnapStart keeps."""
    (version,) = [r for r in Deployment().resources.values() if r["Type"] == "AWS::Lambda::Version"]
    assert version["DeletionPolicy"] == "Delete"
    assert version.get("UpdateReplacePolicy", "Delete") == "Delete"


@pytest.mark.parametrize(("choice", "applies"), [("false", "None"), ("true", "PublishedVersions")])
def test_snapstart_is_chosen(choice: str, applies: str) -> None:
    """It is off by default; the worker, which nobody waits for, never has it."""
    functions = Deployment(SnapStart=choice).of_type("AWS::Lambda::Function")
    assert functions["ApiFunction"]["SnapStart"] == {"ApplyOn": applies}
    assert "SnapStart" not in functions["UploadFunction"]
    assert PARAMETERS["SnapStart"]["Default"] == "false"


def test_layers_are_the_stacks_own() -> None:
    """A layer's name counts for the whole account, so two stacks would share one."""
    made = Deployment().of_type("AWS::Lambda::LayerVersion").values()
    names = [layer["LayerName"] for layer in made]
    assert sorted(names) == ["cutout-test-deps", "cutout-test-heif", "cutout-test-model"]


def test_each_change_is_read_by_cloudformation_and_not_by_sam() -> None:
    """SAM sees no values of parameters: what it hashes is the same for any of them."""
    one, other = Deployment(), Deployment(MemoryMb="3008")
    ((name, _), (other_name, description)) = published(one)[1], published(other)[1]
    assert name == other_name
    assert " 3008 " in description
