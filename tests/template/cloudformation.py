"""What CloudFormation makes of ``template.yaml``: SAM's translation, then one deployment's values.

In a :class:`Deployment` a reference to a resource is text: ``InputBucket`` for a ``Ref``,
``InputBucket.Arn`` for a ``GetAtt``, so that a policy's resource reads
``InputBucket.Arn/incoming/*``. Only a layer is referred to by an ARN, whose version number follows
from its contents, as that of a deployed layer does.
"""

import copy
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from sam_template import read_template

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = read_template(ROOT / "template.yaml")

REGION = "eu-west-1"
ACCOUNT = "123456789012"
STACK = "cutout-test"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
}
# Each partition that anyone can have an account in, with the end of its host names.
PARTITIONS = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-us-gov": "amazonaws.com",
    "aws-eusc": "amazonaws.eu",
}
# Values that turn on everything that a parameter can turn on.
EVERYTHING = {
    "SnapStart": "true",
    "FetchImageUrls": "true",
    "ApiFlavor": "HTTP",
    "ApiKeyHashes": "0" * 64,
    "ApiReservedConcurrency": "20",
    "UploadReservedConcurrency": "5",
    "UploadsExpireDays": "90",
    "CutoutsExpireDays": "90",
    "CatalogueBuckets": "first-shop,second.shop",
    "CatalogueKmsKeys": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "DefaultOptions": "format=webp&bg_color=white",
    "HashLoggedKeys": "true",
    "AccessLogs": "true",
    "CreateApiGatewayAccountRole": "true",
    "AlarmsEmail": "us@shop.example",
    "PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/team/boundary",
}

_NOTHING = object()
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Fn::Contains": lambda values, value: str(value) in map(str, values),
    "Fn::Equals": lambda first, second: str(first) == str(second),
    "Fn::Join": lambda delimiter, parts: delimiter.join(parts),
    "Fn::Not": lambda condition: not condition,
    "Fn::Select": lambda index, parts: parts[index],
    "Fn::Split": lambda delimiter, text: text.split(delimiter),
}


@functools.cache
def translated(rebuilt: str = "") -> dict[str, Any]:
    """Return what SAM makes of the template, without AWS; the conditions are still in it.

    The part called ``rebuilt`` was built anew, so that its file in S3 is another one.
    """
    template = copy.deepcopy(TEMPLATE)
    assert rebuilt in {"", *template["Resources"]}
    # ``sam deploy`` uploads the code and writes where it is.
    for resource_name, resource in template["Resources"].items():
        key = "s3://bucket/new" if resource_name == rebuilt else "s3://bucket/key"
        for name in {"CodeUri", "ContentUri"} & set(resource["Properties"]):
            resource["Properties"][name] = key
    session = SimpleNamespace(region_name=REGION)
    result: dict[str, Any] = Translator({}, Parser(), boto_session=session).translate(template, {})
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a policy; ``owner`` is the resource that it stands in."""

    owner: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principal: Any
    condition: Any


class Refused(Exception):  # noqa: N818 # what CloudFormation does before it begins
    """A rule of the template does not hold for these parameters."""


class Deployment:
    """What one choice of parameters creates; every reference is to something that is created.

    :raises Refused: a rule of the template forbids the choice.
    :raises LookupError: a reference is not, or a function of the template is not known here.
    """

    def __init__(self, *, rebuilt: str = "", partition: str = "aws", **parameters: str) -> None:
        template = translated(rebuilt)
        declared = template["Parameters"]
        assert set(parameters) <= set(declared)
        self._values: dict[str, Any] = {
            **PSEUDO_PARAMETERS,
            "AWS::Partition": partition,
            "AWS::URLSuffix": PARTITIONS[partition],
        }
        for name, parameter in declared.items():
            assert parameter["Type"] in {"String", "Number"}
            self._values[name] = parameters.get(name, str(parameter["Default"]))
        for rule in template["Rules"].values():
            if self._resolve(rule["RuleCondition"]):
                for assertion in rule["Assertions"]:
                    if not self._resolve(assertion["Assert"]):
                        raise Refused(assertion["AssertDescription"])
        self._conditions: dict[str, bool] = {}
        for name, rule in template["Conditions"].items():
            self._conditions[name] = self._resolve(rule)
        created = {n: r for n, r in template["Resources"].items() if self._is_on(r)}
        self._names = set(created)
        self._values |= {
            name: _layer_arn(name)
            for name, resource in created.items()
            if resource["Type"] == "AWS::Lambda::LayerVersion"
        }
        self.resources: dict[str, dict[str, Any]] = {
            name: self._resolve(resource) for name, resource in created.items()
        }
        self.outputs: dict[str, str] = {
            name: self._resolve(output["Value"])
            for name, output in template["Outputs"].items()
            if self._is_on(output)
        }
        for resource in self.resources.values():
            waits_for = resource.get("DependsOn", [])
            assert set([waits_for] if isinstance(waits_for, str) else waits_for) <= self._names

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the properties of the resources of a type."""
        found = {n: r for n, r in self.resources.items() if r["Type"] == kind}
        return {name: resource.get("Properties", {}) for name, resource in found.items()}

    def statements(self) -> Iterator[Statement]:
        """Yield each statement of each policy, a role's trust included."""
        for name, resource in self.resources.items():
            for document in _policies(resource.get("Properties", {})):
                for statement in document["Statement"]:
                    assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement)
                    yield Statement(
                        owner=name,
                        effect=statement["Effect"],
                        actions=_several(statement["Action"]),
                        resources=_several(statement.get("Resource", ())),
                        principal=statement.get("Principal"),
                        condition=statement.get("Condition"),
                    )

    def _is_on(self, part: Mapping[str, Any]) -> bool:
        return "Condition" not in part or self._conditions[part["Condition"]]

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._resolve, value) if item is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {name: self._resolve(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not _NOTHING}

    def _call(self, name: str, argument: Any) -> Any:
        if name == "Fn::If":
            condition, then, otherwise = argument
            return self._resolve(then if self._conditions[condition] else otherwise)
        if name == "Fn::Sub":
            return self._substitute(argument)
        if name == "Ref":
            return _NOTHING if argument == "AWS::NoValue" else self._value(argument)
        if name == "Fn::GetAtt":
            return self._value(".".join(argument))
        return _FUNCTIONS[name](*self._resolve(argument))

    def _substitute(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})
        values = {name: self._resolve(value) for name, value in own.items()}
        return re.sub(r"\$\{([^}!]+)\}", lambda m: str(values.get(m[1]) or self._value(m[1])), text)

    def _value(self, name: str) -> Any:
        """Return a parameter's value; a resource, or an attribute of one, stays a name."""
        if name in self._values:
            return self._values[name]
        if name.partition(".")[0] not in self._names:
            raise LookupError(name)
        return name


def _layer_arn(name: str) -> str:
    """Return the ARN of a layer that SAM named after its contents."""
    number = int(name[-10:], 16) % 100_000
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{STACK}-{name[:-10]}:{number}"


def _policies(properties: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("AssumeRolePolicyDocument", "PolicyDocument"):
        if name in properties:
            yield properties[name]
    for policy in properties.get("Policies", []):
        yield policy["PolicyDocument"]


def _several(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
