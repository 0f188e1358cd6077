"""What a deployment creates, read as a security reviewer would: the template after translation."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

import app
from cloudformation import (
    ACCOUNT,
    EVERYTHING,
    PARTITIONS,
    REGION,
    ROOT,
    STACK,
    TEMPLATE,
    Deployment,
    Refused,
)
from cutout.http.removal import DEADLINE_RESERVE_MS
from cutout.keys import Keys
from cutout.settings import KeyCheck, Settings, read_settings

API_TIMEOUT_S = 29
"""How long API Gateway waits for the function, where an integration does not say otherwise."""

BYTES_PER_PIXEL = 1_400_000_000 / 50_000_000
"""What the largest images were measured to take where the result is AVIF."""

# Who may do what: all of it, with every parameter turned on. A grant that is not here fails.
GRANTS = {
    # API Gateway and CloudWatch Logs, once for the account.
    ("ApiGatewayAccountRole", "sts:AssumeRole"): "apigateway.amazonaws.com",
    # The API's function.
    ("ApiRole", "sts:AssumeRole"): "lambda.amazonaws.com",
    ("ApiRole", "logs:CreateLogStream logs:PutLogEvents"): "ApiLogGroup.Arn",
    ("ApiRole", "xray:PutTraceSegments xray:PutTelemetryRecords"): "*",
    ("ApiRole", "s3:ListBucket"): "InputBucket.Arn",
    (
        "ApiRole",
        "s3:PutObject s3:GetObject",
    ): "InputBucket.Arn/incoming/* ResultBucket.Arn/results/*",
    ("ApiRole", "ssm:GetParameter"): f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/ApiKeys",
    # The worker.
    ("UploadRole", "sts:AssumeRole"): "lambda.amazonaws.com",
    ("UploadRole", "logs:CreateLogStream logs:PutLogEvents"): "UploadLogGroup.Arn",
    ("UploadRole", "xray:PutTraceSegments xray:PutTelemetryRecords"): "*",
    (
        "UploadRole",
        "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes",
    ): "UploadQueue.Arn",
    ("UploadRole", "s3:ListBucket"): (
        "InputBucket.Arn ResultBucket.Arn arn:aws:s3:::first-shop arn:aws:s3:::second.shop"
    ),
    ("UploadRole", "s3:GetObject"): (
        "InputBucket.Arn/uploads/* arn:aws:s3:::first-shop/* arn:aws:s3:::second.shop/*"
    ),
    ("UploadRole", "s3:PutObject s3:GetObject s3:DeleteObject"): "ResultBucket.Arn/cutouts/*",
    ("UploadRole", "kms:Decrypt"): EVERYTHING["CatalogueKmsKeys"],
    # Jobs of S3 Batch Operations.
    ("BatchRole", "sts:AssumeRole"): "batchoperations.s3.amazonaws.com",
    ("BatchRole", "lambda:InvokeFunction"): "UploadFunction.Arn",
    ("BatchRole", "s3:GetObject s3:GetObjectVersion"): "InputBucket.Arn/manifests/*",
    ("BatchRole", "s3:PutObject"): "ResultBucket.Arn/reports/*",
    ("BatchRole", "s3:PutInventoryConfiguration"): (
        "InputBucket.Arn arn:aws:s3:::first-shop arn:aws:s3:::second.shop"
    ),
    # What resources let others do.
    ("UploadQueuePolicy", "sqs:SendMessage"): "events.amazonaws.com UploadQueue.Arn",
    ("UploadDeadLettersPolicy", "sqs:SendMessage"): "events.amazonaws.com UploadDeadLetters.Arn",
    ("AlarmTopicPolicy", "sns:Publish"): "cloudwatch.amazonaws.com AlarmTopic",
}

# Where a resource is "*", and why.
WILDCARDS = {
    ("ApiRole", "xray:PutTraceSegments"): "X-Ray has no resources",
    ("ApiRole", "xray:PutTelemetryRecords"): "X-Ray has no resources",
    ("UploadRole", "xray:PutTraceSegments"): "X-Ray has no resources",
    ("UploadRole", "xray:PutTelemetryRecords"): "X-Ray has no resources",
}

# AWS's own policies that a role has, and why; they allow more than a policy of ours would.
MANAGED_POLICIES = {
    "ApiGatewayAccountRole": "API Gateway accepts no narrower role; made only where asked for"
}

# A trust without a condition, and why. Every other service that may do something is bound to this
# account or to one of the stack's resources.
UNCONDITIONAL = {
    "lambda.amazonaws.com": "assumes a role only for a function that was given it (iam:PassRole)",
    "apigateway.amazonaws.com": "the same, by the account's own setting",
}

# What each alarm watches, and from when on it is one, in periods of five minutes.
ALARMS = {
    "ApiErrorsAlarm": f"Sum of AWS/ApiGateway 5XXError (ApiName={STACK}, Stage=live) >= 1",
    "HttpApiErrorsAlarm": "Sum of AWS/ApiGateway 5xx (ApiId=HttpApi) >= 1",
    "UploadErrorsAlarm": "Sum of AWS/Lambda Errors (FunctionName=UploadFunction) >= 1",
    "ApiThrottlesAlarm": "Sum of AWS/Lambda Throttles (FunctionName=ApiFunction) >= 1",
    "UploadThrottlesAlarm": "Sum of AWS/Lambda Throttles (FunctionName=UploadFunction) >= 1",
    "LatencyAlarm": "p95 of AWS/Lambda Duration (FunctionName=ApiFunction) > 15000 in 2 of 3",
    "DeadLettersAlarm": (
        "Maximum of AWS/SQS ApproximateNumberOfMessagesVisible"
        " (QueueName=UploadDeadLetters.QueueName) >= 1"
    ),
    "LostUploadsAlarm": (
        "Sum of AWS/Events InvocationsFailedToBeSentToDlq (RuleName=UploadRule) >= 1"
    ),
    "QueueAgeAlarm": (
        "Maximum of AWS/SQS ApproximateAgeOfOldestMessage (QueueName=UploadQueue.QueueName) > 3600"
    ),
}

FULL = Deployment(**EVERYTHING)
PLAIN = Deployment()


def choices() -> Iterator[Any]:
    """Yield the defaults, everything on, and each parameter alone turned on or off."""
    yield pytest.param({}, id="defaults")
    yield pytest.param(EVERYTHING, id="everything")
    for name, value in EVERYTHING.items():
        yield pytest.param({name: value}, id=f"{name}-on")
        others = {other: v for other, v in EVERYTHING.items() if other != name}
        yield pytest.param(others, id=f"{name}-off")
    yield pytest.param({"EnableHeic": "false"}, id="EnableHeic-off")
    yield pytest.param({**EVERYTHING, "EnableHeic": "false"}, id="all-but-EnableHeic")


def environments(deployment: Deployment) -> dict[str, dict[str, str]]:
    """Return each function's environment variables."""
    functions = deployment.of_type("AWS::Lambda::Function")
    return {name: f["Environment"]["Variables"] for name, f in functions.items()}


# ---- every branch of the conditions


@pytest.mark.parametrize("parameters", list(choices()))
def test_every_choice_of_parameters_is_whole(parameters: dict[str, str]) -> None:
    """Nothing refers to what that choice does not create, and the code takes its variables."""
    deployment = Deployment(**parameters)
    assert all(deployment.outputs.values())
    for variables in environments(deployment).values():
        assert all(isinstance(value, str) for value in variables.values())
        settings = read_settings(variables)
        assert settings.service == STACK
    settings = read_settings(environments(deployment)["ApiFunction"])
    is_http = parameters.get("ApiFlavor") == "HTTP"
    assert settings.keys_checked_by is (KeyCheck.FUNCTION if is_http else KeyCheck.GATEWAY)


def test_the_defaults_are_the_codes_own() -> None:
    """What is not said when deploying is what the code does without being told."""
    given = [read_settings(variables) for variables in environments(PLAIN).values()]
    own = Settings()
    differ = {n for n in own.__slots__ for one in given if getattr(one, n) != getattr(own, n)}
    assert differ <= {"service", "keys_checked_by", "input_bucket", "result_bucket"} | {
        "api_keys_parameter"
    }


def test_the_deployment_picks_the_model() -> None:
    """Both functions run the one that the parameter names."""
    chosen = Deployment(ModelName="erase-s,u2netp-int8")
    names = {name: v["MODEL_NAME"] for name, v in environments(chosen).items()}
    assert names == dict.fromkeys(("ApiFunction", "UploadFunction"), "erase-s,u2netp-int8")
    for variables in environments(chosen).values():
        assert read_settings(variables).model_names == ("erase-s", "u2netp-int8")


def test_urls_are_fetched_only_where_the_deployment_says_so() -> None:
    """By the API's function; the worker has no URLs, so it is not told."""
    for given, fetches in (({}, False), ({"FetchImageUrls": "true"}, True)):
        variables = environments(Deployment(**given))
        assert read_settings(variables["ApiFunction"]).fetch_urls is fetches
        assert "FETCH_IMAGE_URLS" not in variables["UploadFunction"]


def test_the_functions_know_their_buckets_and_folders() -> None:
    """Both know which bucket is which; the worker knows the folders, too."""
    moved = environments(Deployment(UploadPrefix="in/", TargetPrefix="out/"))
    for variables in moved.values():
        settings = read_settings(variables)
        assert (settings.input_bucket, settings.result_bucket) == ("InputBucket", "ResultBucket")
    worker = read_settings(moved["UploadFunction"])
    assert (worker.upload_prefix, worker.target_prefix) == ("in/", "out/")


def test_the_pages_can_be_left_out() -> None:
    """The API's function is told; the worker has none."""
    for given, shown in (({}, True), ({"ShowPages": "false"}, False)):
        variables = environments(Deployment(**given))
        assert read_settings(variables["ApiFunction"]).show_pages is shown
        assert "SHOW_PAGES" not in variables["UploadFunction"]


def test_a_new_account_can_deploy_the_defaults() -> None:
    """It can reserve no concurrency, and has no role with which API Gateway may log."""
    for function in PLAIN.of_type("AWS::Lambda::Function").values():
        assert "ReservedConcurrentExecutions" not in function
    (stage,) = PLAIN.of_type("AWS::ApiGateway::Stage").values()
    assert "AccessLogSetting" not in stage
    assert PLAIN.of_type("AWS::ApiGateway::Account") == {}


def test_reserved_concurrency_is_each_functions_own() -> None:
    """A rush of uploads leaves the API its share."""
    functions = FULL.of_type("AWS::Lambda::Function")
    reserved = {name: f["ReservedConcurrentExecutions"] for name, f in functions.items()}
    assert reserved == {"ApiFunction": "20", "UploadFunction": "5"}


# ---- who may do what


def test_nothing_is_allowed_but_what_is_listed() -> None:
    """The list above is what a reviewer has to read."""
    found: dict[tuple[str, str], str] = {}
    for statement in FULL.statements():
        if statement.effect == "Allow":
            principal = (statement.principal or {}).get("Service")
            granted = " ".join([*([principal] if principal else []), *statement.resources])
            key = (statement.owner, " ".join(statement.actions))
            found[key] = f"{found[key]} {granted}" if key in found else granted
    assert found == GRANTS


def test_without_a_catalogue_no_other_bucket_is_named() -> None:
    """An empty list grants nothing, rather than a bucket without a name."""
    named = {r for statement in PLAIN.statements() for r in statement.resources}
    assert not [name for name in named if name.startswith("arn:aws:s3")]


def test_a_catalogue_is_read_only() -> None:
    """Nothing writes to a bucket that is not the stack's own, but S3's request for a list."""
    actions = {
        action
        for statement in FULL.statements()
        for action in statement.actions
        if any(name.startswith("arn:aws:s3:::") for name in statement.resources)
    }
    reads = {"s3:ListBucket", "s3:GetObject"}
    assert actions == reads | {"s3:PutInventoryConfiguration"}


def test_no_wildcard_stands_without_its_reason() -> None:
    """No action has one; a resource has one alone, or for its partition, only where listed."""
    found = set()
    for statement in FULL.statements():
        if statement.effect == "Allow":
            assert not [action for action in statement.actions if "*" in action]
            if any(re.fullmatch(r"\*|arn:[^/]*\*.*", name) for name in statement.resources):
                found |= {(statement.owner, action) for action in statement.actions}
    assert found == set(WILDCARDS)


def test_aws_own_policies_are_listed() -> None:
    """SAM would add some that allow a function every queue and every log."""
    roles = FULL.of_type("AWS::IAM::Role")
    assert {n for n, role in roles.items() if role.get("ManagedPolicyArns")} == set(
        MANAGED_POLICIES
    )
    assert set(roles) == {"ApiGatewayAccountRole", "ApiRole", "UploadRole", "BatchRole"}


def test_a_boundary_bounds_every_role() -> None:
    """Where an organization asks for one, a single role without it fails the deployment."""
    boundaries = {role["PermissionsBoundary"] for role in FULL.of_type("AWS::IAM::Role").values()}
    assert boundaries == {EVERYTHING["PermissionsBoundary"]}
    for role in PLAIN.of_type("AWS::IAM::Role").values():
        assert "PermissionsBoundary" not in role


@pytest.mark.parametrize(
    ("arn", "is_accepted"),
    [
        ("", True),
        ("arn:aws:iam::123456789012:policy/team/boundary", True),
        ("arn:aws-us-gov:iam::aws:policy/PowerUserAccess", True),
        ("boundary", False),
        ("arn:aws:iam::123456789012:role/boundary", False),
        ("arn:aws:iam::123456789012:policy/a b", False),
    ],
)
def test_a_boundary_is_the_arn_of_a_policy(arn: str, *, is_accepted: bool) -> None:
    """What is none is refused before the deployment."""
    pattern = TEMPLATE["Parameters"]["PermissionsBoundary"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, arn)) == is_accepted


def test_nobody_is_allowed_anything_as_anyone() -> None:
    """An Allow names one AWS service; all but those listed act for this account only."""
    for statement in FULL.statements():
        if statement.effect != "Allow" or statement.principal is None:
            continue
        assert list(statement.principal) == ["Service"], statement
        service = statement.principal["Service"]
        assert re.fullmatch(r"[a-z0-9.]+\.amazonaws\.com", service)
        assert (statement.condition is None) == (service in UNCONDITIONAL), statement
        if statement.condition is not None:
            signs = {"StringEquals", "StringEqualsIfExists", "ArnEquals", "ArnLike"}
            assert set(statement.condition) <= signs
            bound = json.dumps(statement.condition)
            assert "UploadRule.Arn" in bound or ACCOUNT in bound


@pytest.mark.parametrize("kind", ["AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SNS::Topic"])
def test_nothing_goes_without_tls(kind: str) -> None:
    """Each bucket, queue and topic has a policy of its own that refuses plain HTTP."""
    targets = {"Bucket": "AWS::S3::BucketPolicy", "Queue": "AWS::SQS::QueuePolicy"}
    policies = FULL.of_type(targets.get(kind.rpartition("::")[2], "AWS::SNS::TopicPolicy"))
    found = []
    for policy in policies.values():
        (name,) = policy.get("Queues") or policy.get("Topics") or [policy["Bucket"]]
        found.append(name)
        refusals = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        (refusal,) = refusals
        assert refusal["Principal"] == "*"
        assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        everything: dict[str, tuple[str, Any]] = {
            "AWS::S3::Bucket": ("s3:*", [f"{name}.Arn", f"{name}.Arn/*"]),
            "AWS::SQS::Queue": ("sqs:*", f"{name}.Arn"),
            "AWS::SNS::Topic": ("sns:Publish", name),
        }
        assert (refusal["Action"], refusal["Resource"]) == everything[kind]
    assert sorted(found) == sorted(FULL.of_type(kind))


def test_only_the_stacks_own_doors_call_the_functions() -> None:
    """Each permission is for one API of this account; none is for the worker."""
    permissions = FULL.of_type("AWS::Lambda::Permission").values()
    for permission in permissions:
        assert permission["FunctionName"] == "ApiFunctionAliaslive"
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["Action"] == "lambda:InvokeFunction"
        prefix = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:"
        assert re.match(
            rf"{prefix}(Api/\*/[A-Z*]+/(v|docs$|openapi\.json$|$)|HttpApi/\*$)",
            permission["SourceArn"],
        )
    assert FULL.of_type("AWS::Lambda::Url") == {}


# ---- what is kept, where and for how long


@pytest.mark.parametrize("name", ["InputBucket", "ResultBucket"])
def test_buckets_are_private_encrypted_and_outlive_the_stack(name: str) -> None:
    """All four switches, SSE, no ACLs; a name is AWS's to choose; a failed first deploy cleans."""
    resource = FULL.resources[name]
    bucket = resource["Properties"]
    switches = bucket["PublicAccessBlockConfiguration"]
    assert switches == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert bucket["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }
    assert "BucketName" not in bucket
    assert "AccessControl" not in bucket
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"


def test_the_buckets_cors() -> None:
    """A page may send an upload's form and follow a result's URL, and nothing else.

    Any page may: the playground's origin is the API's own, whatever AllowedOrigin is, and a browser
    that was redirected to a result sends "null" as its origin (tests/e2e).
    """
    for name, method in [("InputBucket", "POST"), ("ResultBucket", "GET")]:
        bucket = Deployment(AllowedOrigin="https://shop.example").of_type("AWS::S3::Bucket")[name]
        (rule,) = bucket["CorsConfiguration"]["CorsRules"]
        assert rule["AllowedMethods"] == [method]
        assert rule["AllowedOrigins"] == ["*"]


def lifecycle(deployment: Deployment, name: str) -> dict[str, Any]:
    """Return a bucket's rules by name, all of which are on."""
    rules = deployment.of_type("AWS::S3::Bucket")[name]["LifecycleConfiguration"]["Rules"]
    assert {rule.pop("Status") for rule in rules} <= {"Enabled", "Disabled"}
    return {rule.pop("Id"): rule for rule in rules}


def test_only_what_is_temporary_expires() -> None:
    """Uploads and cutouts stay unless a parameter says otherwise."""
    leftovers = {
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    assert lifecycle(Deployment(), "InputBucket") == {
        "incoming": {
            "Prefix": "incoming/",
            "ExpirationInDays": 1,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        },
        "leftovers": {**leftovers, "ExpiredObjectDeleteMarker": True},
    }
    assert lifecycle(Deployment(), "ResultBucket") == {
        "results": {"Prefix": "results/", "ExpirationInDays": 1},
        "leftovers": leftovers,
    }
    everything = Deployment(**EVERYTHING)
    uploads = lifecycle(everything, "InputBucket")["uploads"]
    assert uploads == {"Prefix": "uploads/", "ExpirationInDays": "90"}
    cutouts = lifecycle(everything, "ResultBucket")["cutouts"]
    assert cutouts == {"Prefix": "cutouts/", "ExpirationInDays": "90"}


def test_the_input_bucket_keeps_versions() -> None:
    """An event names one."""
    bucket = PLAIN.of_type("AWS::S3::Bucket")["InputBucket"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.parametrize(
    ("prefix", "refused"),
    [
        *[("UploadPrefix", text) for text in ["incoming/", "incoming/x/", "manifests/a/"]],
        *[("TargetPrefix", text) for text in ["results/", "reports/a/"]],
        *[("UploadPrefix", text) for text in ["", "/", "uploads", "a//", "*", "${x}/", "a b/"]],
    ],
)
def test_prefixes_stay_out_of_each_others_way(prefix: str, refused: str) -> None:
    """None lies where something else is read, written or deleted, and none is a wildcard."""
    pattern = TEMPLATE["Parameters"][prefix]["AllowedPattern"]
    assert re.fullmatch(pattern, refused) is None
    assert re.fullmatch(pattern, TEMPLATE["Parameters"][prefix]["Default"])
    assert re.fullmatch(pattern, "shop/photos-1.x/")


def test_a_catalogue_bucket_is_a_buckets_name() -> None:
    """A wildcard would grant every bucket of the account."""
    pattern = TEMPLATE["Parameters"]["CatalogueBuckets"]["AllowedPattern"]
    for text in ["*", "a*b", "shop/x", "Shop", "a", "-shop", "arn:aws:s3:::shop", " shop", "abc,"]:
        assert re.fullmatch(pattern, text) is None
    for text in ["", "shop", "my.shop-1", "shop,my.shop-1,third"]:
        assert re.fullmatch(pattern, text)


def test_a_catalogues_key_is_one_key() -> None:
    """A wildcard would grant every key of the account."""
    pattern = TEMPLATE["Parameters"]["CatalogueKmsKeys"]["AllowedPattern"]
    key = EVERYTHING["CatalogueKmsKeys"]
    for text in ["*", f"{key}*", key.replace(ACCOUNT, "*"), key.replace("key/", "alias/")]:
        assert re.fullmatch(pattern, text) is None
    for text in ["", key, f"{key},{key.replace('arn:aws:', 'arn:aws-us-gov:')}"]:
        assert re.fullmatch(pattern, text)


def test_no_partition_is_forgotten() -> None:
    """All that the SDK knows but the isolated ones, which are closed to the public."""
    session = boto3.session.Session()
    public = {n for n in session.get_available_partitions() if not n.startswith("aws-iso")}
    assert set(PARTITIONS) == public


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_arn_is_of_the_partition(partition: str) -> None:
    """Of each of AWS's partitions that anyone can have an account in."""
    given = {
        "CatalogueKmsKeys": f"arn:{partition}:kms:x:{ACCOUNT}:key/1",
        "PermissionsBoundary": f"arn:{partition}:iam::{ACCOUNT}:policy/boundary",
    }
    deployment = Deployment(partition=partition, **{**EVERYTHING, **given})
    text = json.dumps([deployment.resources, deployment.outputs])
    # The layers' ARNs are the tests' own; SAM writes those of integrations for its region.
    others = r"(?!lambda:[a-z0-9-]+:[0-9]+:layer|apigateway:|execute-api:)"
    assert set(re.findall(rf"arn:(aws[a-z-]*):{others}", text)) == {partition}
    # The HTTP API and its permission are the template's, not SAM's.
    (http,) = deployment.of_type("AWS::ApiGatewayV2::Api").values()
    uris = re.findall(r"arn:[^\"]*/invocations", json.dumps(http["Body"]))
    uris.append(deployment.resources["HttpApiPermission"]["Properties"]["SourceArn"])
    assert [uri.split(":")[1:3] for uri in uris] == [
        [partition, "apigateway"],
        [partition, "execute-api"],
    ]
    named = {r for s in deployment.statements() for r in s.resources}
    prefix = f"arn:{partition}:s3:::"
    assert {name for name in named if ":s3:::" in name} == {
        *(f"{prefix}first-shop", f"{prefix}second.shop"),
        *(f"{prefix}first-shop/*", f"{prefix}second.shop/*"),
    }


@pytest.mark.parametrize(
    ("partition", "console"),
    [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
        ("aws-eusc", "console.amazonaws-eusc.eu"),
    ],
)
def test_the_dashboard_is_in_the_console_of_the_partition(partition: str, console: str) -> None:
    """Each has one of its own, where accounts of the others cannot sign in."""
    assert Deployment(partition=partition).outputs["DashboardUrl"] == (
        f"https://{console}/cloudwatch/home?region={REGION}#dashboards:name=Dashboard"
    )


@pytest.mark.parametrize(("partition", "suffix"), PARTITIONS.items())
def test_the_urls_are_those_of_the_partition(partition: str, suffix: str) -> None:
    """China and the European Sovereign Cloud have host names of their own."""
    deployment = Deployment(partition=partition, **EVERYTHING)
    for name in ("Url", "HttpUrl"):
        host = deployment.outputs[name].removeprefix("https://").partition("/")[0]
        assert host.partition(".")[2] == f"execute-api.{REGION}.{suffix}"
    (decrypt,) = [s for s in deployment.statements() if s.actions == ("kms:Decrypt",)]
    assert decrypt.condition == {"StringLike": {"kms:ViaService": f"s3.*.{suffix}"}}


@pytest.mark.parametrize("memory_mb", TEMPLATE["Parameters"]["MemoryMb"]["AllowedValues"])
@pytest.mark.parametrize("max_pixels", TEMPLATE["Parameters"]["MaxPixels"]["AllowedValues"])
def test_images_that_do_not_fit_the_memory_are_refused(max_pixels: int, memory_mb: int) -> None:
    """Before anything is deployed, and those that fit are not."""
    parameters = {"MaxPixels": str(max_pixels), "MemoryMb": str(memory_mb)}
    if max_pixels * BYTES_PER_PIXEL <= memory_mb * 2**20:
        assert Deployment(**parameters).resources
    else:
        with pytest.raises(Refused, match=f"MaxPixels={max_pixels} needs MemoryMb="):
            Deployment(**parameters)


def test_rules_compare_text_with_text() -> None:
    """CloudFormation describes what a rule's Contains takes as a string and a list of strings."""
    lists = [
        assertion["Assert"]["Fn::Contains"][0]
        for rule in TEMPLATE["Rules"].values()
        for assertion in rule["Assertions"]
    ]
    assert {type(value) for values in lists for value in values} == {str}


@pytest.mark.parametrize("name", ["ApiFunction", "UploadFunction"])
def test_the_longest_variables_fit(name: str) -> None:
    """Lambda takes 4,096 bytes of names and values."""
    longest = {
        parameter: "x" * spec["MaxLength"]
        for parameter, spec in TEMPLATE["Parameters"].items()
        if "MaxLength" in spec
    }
    variables = environments(Deployment(**{**EVERYTHING, **longest}))[name]
    names = {"INPUT_BUCKET": 63, "RESULT_BUCKET": 63, "POWERTOOLS_SERVICE_NAME": 128}
    names["API_KEYS_PARAMETER"] = 256
    sizes = [len(n) + max(len(v), names.get(n, 0)) for n, v in variables.items()]
    assert sum(sizes) <= 4096


def test_queues_are_encrypted() -> None:
    """By SQS itself, at no cost."""
    for queue in FULL.of_type("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True


def test_every_log_ends() -> None:
    """The functions write to the stack's own log groups, which keep what the parameter says."""
    groups = Deployment(**EVERYTHING, LogRetentionDays="7").of_type("AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {"7"}
    used = [f["LoggingConfig"] for f in FULL.of_type("AWS::Lambda::Function").values()]
    assert used == [{"LogGroup": "ApiLogGroup"}, {"LogGroup": "UploadLogGroup"}]
    names = [group["LogGroupName"] for group in groups.values()]
    assert all(STACK in name for name in names)


def test_access_logs_hold_no_keys() -> None:
    """They are JSON, name the request, and hold no key, header or body."""
    stages = [*FULL.of_type("AWS::ApiGateway::Stage").values()]
    stages += FULL.of_type("AWS::ApiGatewayV2::Stage").values()
    settings = [s.get("AccessLogSetting") or s["AccessLogSettings"] for s in stages]
    assert len(settings) == 2
    for setting in settings:
        assert setting["DestinationArn"] == "AccessLogGroup.Arn"
        line = json.loads(setting["Format"])
        assert line["request_id"] == "$context.requestId"
        assert {value.removeprefix("$context.") for value in line.values()} <= {
            *("requestId", "requestTime", "identity.sourceIp", "identity.apiKeyId"),
            *("httpMethod", "resourcePath", "path", "status", "error.responseType"),
            *("responseLength", "responseLatency"),
        }


def test_access_logs_wait_for_the_role_that_writes_them() -> None:
    """Where it is made here; a DependsOn would drop the log group where it is not."""
    alone = Deployment(AccessLogs="true").resources["AccessLogGroup"]
    assert "DependsOn" not in alone
    (tag,) = alone["Properties"]["Tags"]
    assert re.fullmatch(r"[A-Za-z0-9 _.:/=+@-]+", tag["Value"])  # what AWS takes
    (tag,) = FULL.resources["AccessLogGroup"]["Properties"]["Tags"]
    assert tag["Value"] == "ApiGatewayAccount"


@pytest.mark.parametrize("name", ["ApiGatewayAccount", "ApiGatewayAccountRole"])
def test_the_accounts_role_outlives_the_stack(name: str) -> None:
    """Other APIs of the account may log with it by then."""
    resource = FULL.resources[name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


# ---- the doors


def rest_methods() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the REST API's methods, as SAM writes them."""
    (rest,) = PLAIN.of_type("AWS::ApiGateway::RestApi").values()
    return {
        (path, method.removeprefix("x-amazon-apigateway-").removesuffix("-method").upper()): spec
        for path, methods in rest["Body"]["paths"].items()
        for method, spec in methods.items()
    }


def test_the_rest_api_asks_for_keys_where_the_code_does() -> None:
    """Each endpoint of the code is a method with its key; ANY, which takes OPTIONS, has none."""
    endpoints = {(e.path, e.method): e.keyed and e.gateway_keys for e in app.api().endpoints}
    endpoints |= {(e.path, "ANY"): False for e in app.api().endpoints}
    keyed: list[dict[str, list[str]]] = [{"api_key": []}]
    found = {route: spec.get("security") == keyed for route, spec in rest_methods().items()}
    assert found == endpoints
    (rest,) = PLAIN.of_type("AWS::ApiGateway::RestApi").values()
    scheme = rest["Body"]["components"]["securitySchemes"]["api_key"]
    assert scheme == {"type": "apiKey", "name": "x-api-key", "in": "header"}
    assert rest["Body"].get("security") is None


def test_every_method_calls_the_published_function() -> None:
    """The alias has SnapStart; each path goes there whole, with API Gateway's own time-out."""
    for spec in rest_methods().values():
        integration = spec["x-amazon-apigateway-integration"]
        assert integration["type"] == "aws_proxy"
        assert "functions/ApiFunctionAliaslive/invocations" in integration["uri"]
        assert "timeoutInMillis" not in integration


def test_gateway_answers_arrive_as_they_are_written() -> None:
    """SAM passes each on, with its status as text and its headers named in full."""
    (rest,) = PLAIN.of_type("AWS::ApiGateway::RestApi").values()
    answers = rest["Body"]["x-amazon-apigateway-gateway-responses"]
    written = TEMPLATE["Resources"]["Api"]["Properties"]["GatewayResponses"]
    assert set(answers) == set(written)
    for kind, answer in answers.items():
        assert str(answer["statusCode"]) == str(written[kind]["StatusCode"])
        headers = written[kind]["ResponseParameters"]["Headers"]
        assert answer["responseParameters"] == {
            f"gatewayresponse.header.{name}": value for name, value in headers.items()
        }
        assert answer["responseTemplates"] == written[kind]["ResponseTemplates"]


def test_the_rest_api_bounds_each_key_and_all_together() -> None:
    """By key and day, and by second for everybody: the defaults, of which no two are equal."""
    (plan,) = PLAIN.of_type("AWS::ApiGateway::UsagePlan").values()
    assert plan["Quota"] == {"Limit": 10_000, "Period": "DAY"}
    assert plan["Throttle"] == {"RateLimit": 10, "BurstLimit": 20}
    (stage,) = PLAIN.of_type("AWS::ApiGateway::Stage").values()
    everything, *health = stage["MethodSettings"]
    assert (everything["ResourcePath"], everything["HttpMethod"]) == ("/*", "*")
    assert everything["ThrottlingRateLimit"] == "100"
    assert everything["ThrottlingBurstLimit"] == "200"
    for settings in stage["MethodSettings"]:
        assert not settings.get("DataTraceEnabled", False)
    # What needs no key cannot take the others' share.
    places = [(one["ResourcePath"], one["HttpMethod"]) for one in health]
    assert places == [("/~1v2~1health", "GET"), ("/~1v2~1health", "HEAD")]
    assert {(one["ThrottlingRateLimit"], one["ThrottlingBurstLimit"]) for one in health} == {
        (5, 10)
    }
    assert stage["TracingEnabled"] is True


def test_the_http_api_is_made_only_where_asked_for() -> None:
    """It sends everything to the same function, in format 2.0, and is bounded as a whole."""
    assert PLAIN.of_type("AWS::ApiGatewayV2::Api") == {}
    (http,) = FULL.of_type("AWS::ApiGatewayV2::Api").values()
    assert list(http["Body"]["paths"]) == ["/$default"]
    (route,) = http["Body"]["paths"]["/$default"].values()
    integration = route["x-amazon-apigateway-integration"]
    assert integration["payloadFormatVersion"] == "2.0"
    assert integration["uri"].endswith("functions/ApiFunctionAliaslive/invocations")
    (stage,) = FULL.of_type("AWS::ApiGatewayV2::Stage").values()
    limits = stage["DefaultRouteSettings"]
    assert (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]) == ("100", "200")
    assert "HttpUrl" in FULL.outputs
    assert "HttpUrl" not in PLAIN.outputs


def test_with_the_http_api_the_function_checks_every_key() -> None:
    """It reads their digests at run time, and the REST API beside it is no way around them."""
    two = f"{'0' * 64},{'1' * 64}"
    deployment = Deployment(ApiFlavor="HTTP", ApiKeyHashes=two)
    variables = environments(deployment)["ApiFunction"]
    assert variables["KEYS_CHECKED_BY"] == "function"
    assert variables["API_KEYS_PARAMETER"] == "ApiKeys"
    assert deployment.of_type("AWS::SSM::Parameter")["ApiKeys"]["Value"] == two
    assert "--name ApiKeys --overwrite" in deployment.outputs["KeysCommand"]
    assert TEMPLATE["Parameters"]["ApiKeyHashes"]["NoEcho"] is True
    # A revoked key is no new version of the function.
    one = Deployment(ApiFlavor="HTTP", ApiKeyHashes="1" * 64)
    assert environments(one) == environments(deployment)


def test_without_keys_the_list_of_keys_accepts_none() -> None:
    """SSM takes no empty value. With the REST API alone the list is for remove.bg's routes."""
    deployment = Deployment(ApiFlavor="HTTP")
    value = deployment.of_type("AWS::SSM::Parameter")["ApiKeys"]["Value"]
    assert not Keys(read=lambda: value).accept("none")
    assert PLAIN.of_type("AWS::SSM::Parameter")["ApiKeys"]["Value"] == value
    assert environments(PLAIN)["ApiFunction"]["API_KEYS_PARAMETER"] == "ApiKeys"


def test_the_largest_list_of_keys_fits() -> None:
    """SSM's limit for a value that costs nothing."""
    parameter = TEMPLATE["Parameters"]["ApiKeyHashes"]
    most = ",".join(["0" * 64] * 63)
    assert len(most) == parameter["MaxLength"] <= 4096
    assert re.fullmatch(parameter["AllowedPattern"], most)


# ---- time and work


def test_each_waits_longer_than_what_it_waits_for() -> None:
    """API Gateway > the function > the code's own deadline, so that we are who answers."""
    timeout_s = PLAIN.of_type("AWS::Lambda::Function")["ApiFunction"]["Timeout"]
    reserve_s = DEADLINE_RESERVE_MS / 1000
    assert API_TIMEOUT_S > timeout_s > timeout_s - reserve_s > 0


def test_the_queue_waits_for_the_worker() -> None:
    """Six time-outs, as AWS asks; what fails goes aside before it grows too old."""
    queues = PLAIN.of_type("AWS::SQS::Queue")
    worker = PLAIN.of_type("AWS::Lambda::Function")["UploadFunction"]
    queue, dead = queues["UploadQueue"], queues["UploadDeadLetters"]
    assert queue["VisibilityTimeout"] >= 6 * worker["Timeout"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == "UploadDeadLetters.Arn"
    assert 3 <= queue["RedrivePolicy"]["maxReceiveCount"] <= 5
    assert dead["MessageRetentionPeriod"] == 14 * 86400 > queue["MessageRetentionPeriod"]


def test_the_worker_takes_messages_as_it_can() -> None:
    """Failures are reported by record; the queue holds back what it has no room for."""
    (source,) = PLAIN.of_type("AWS::Lambda::EventSourceMapping").values()
    assert source["EventSourceArn"] == "UploadQueue.Arn"
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": "5"}
    assert source["BatchSize"] == 1  # one that kills the worker takes no other down with it


def test_only_uploads_start_work() -> None:
    """The rule is for one bucket and prefix, and keeps what the queue does not take."""
    (rule,) = Deployment(UploadPrefix="in/").of_type("AWS::Events::Rule").values()
    assert rule["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["InputBucket"]}, "object": {"key": [{"prefix": "in/"}]}},
    }
    (target,) = rule["Targets"]
    assert target["Arn"] == "UploadQueue.Arn"
    assert target["DeadLetterConfig"] == {"Arn": "UploadDeadLetters.Arn"}


def test_both_functions_are_the_same_code() -> None:
    """They differ in their handler, and in the variables that only one of them reads."""
    functions = PLAIN.of_type("AWS::Lambda::Function")
    for name in ["Runtime", "Architectures", "MemorySize", "Layers", "Code"]:
        assert functions["ApiFunction"][name] == functions["UploadFunction"][name]
    handlers = [f["Handler"] for f in functions.values()]
    assert handlers == ["app.http_handler", "app.upload_handler"]
    api, worker = environments(PLAIN).values()
    assert {name for name in {*api} & {*worker} if api[name] != worker[name]} == set()


def test_the_layers_are_for_the_processor_of_the_functions() -> None:
    """All of them hold what was built for it."""
    chosen = Deployment(Architecture="arm64")
    for function in chosen.of_type("AWS::Lambda::Function").values():
        assert function["Architectures"] == ["arm64"]
    for layer in chosen.of_type("AWS::Lambda::LayerVersion").values():
        assert layer["CompatibleArchitectures"] == ["arm64"]


def test_heic_is_a_layer_that_can_be_left_out() -> None:
    """With its package, which is the only one under the GPL."""

    def layers(deployment: Deployment) -> list[str]:
        function = deployment.of_type("AWS::Lambda::Function")["ApiFunction"]
        names: list[str] = [
            arn.split(":")[6].removeprefix(f"{STACK}-") for arn in function["Layers"]
        ]
        made = deployment.of_type("AWS::Lambda::LayerVersion")
        assert sorted(names) == sorted(name[:-10] for name in made)
        return names

    assert layers(PLAIN) == ["DepsLayer", "HeifLayer", "ModelLayer"]
    assert layers(Deployment(EnableHeic="false")) == ["DepsLayer", "ModelLayer"]


# ---- watching


def watched(alarm: dict[str, Any]) -> str:
    """Return what an alarm watches and from when on it is one, as the list above has it."""
    dimensions = ", ".join(f"{one['Name']}={one['Value']}" for one in alarm["Dimensions"])
    statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    signs = {"GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">="}
    text = f"{statistic} of {alarm['Namespace']} {alarm['MetricName']} ({dimensions})"
    text += f" {signs[alarm['ComparisonOperator']]} {alarm['Threshold']}"
    periods = alarm["EvaluationPeriods"]
    return text if periods == 1 else f"{text} in {alarm['DatapointsToAlarm']} of {periods}"


def test_each_alarm_watches_what_it_is_for() -> None:
    """One on a metric that nobody writes, or on another queue, would be silent for ever."""
    alarms = FULL.of_type("AWS::CloudWatch::Alarm")
    assert {name: watched(alarm) for name, alarm in alarms.items()} == ALARMS
    assert {alarm["Period"] for alarm in alarms.values()} == {300}
    plain = PLAIN.of_type("AWS::CloudWatch::Alarm")
    assert {name: watched(alarm) for name, alarm in plain.items()} == {
        name: text for name, text in ALARMS.items() if name != "HttpApiErrorsAlarm"
    }
    (api,) = PLAIN.of_type("AWS::ApiGateway::RestApi").values()
    assert api["Name"] == STACK


def test_alarms_are_sent_where_there_is_an_address() -> None:
    """All to one topic, and their end too; without an address they are only shown."""
    for alarm in FULL.of_type("AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == ["AlarmTopic"]
        assert alarm["TreatMissingData"] == "notBreaching"
    for alarm in PLAIN.of_type("AWS::CloudWatch::Alarm").values():
        assert not {"AlarmActions", "OKActions"} & set(alarm)
    assert PLAIN.of_type("AWS::SNS::Topic") == {}
    (topic,) = FULL.of_type("AWS::SNS::Topic").values()
    assert topic["Subscription"] == [{"Protocol": "email", "Endpoint": "us@shop.example"}]


def test_the_runbook_has_every_alarm() -> None:
    """Each in one row of its first table, whose link is a section that says what to do."""
    runbook = (ROOT / ".github/RUNBOOK.md").read_text(encoding="utf-8")
    table, _, sections = runbook.partition("\n## ")
    rows = re.findall(r"^\| \[([^\]]+)\]\(#[a-z-]+\) \| ([^|]+) \|", table, re.MULTILINE)
    named = [name for _, names in rows for name in re.findall(r"`(\w+)`", names)]
    assert sorted(named) == sorted(FULL.of_type("AWS::CloudWatch::Alarm"))
    titles = re.findall(r"^## (.+)$", f"## {sections}", re.MULTILINE)
    assert {title for title, _ in rows} <= set(titles)
    for alarm in FULL.of_type("AWS::CloudWatch::Alarm").values():
        for title in re.findall(r"see (.+) in RUNBOOK.md", alarm["AlarmDescription"]):
            assert title in titles


def test_the_dashboard_can_be_read() -> None:
    """It is JSON, and its widgets do not lie upon each other."""
    (dashboard,) = PLAIN.of_type("AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]
    places = Counter((widget["x"], widget["y"]) for widget in widgets)
    assert set(places.values()) == {1}
    for widget in widgets:
        assert widget["width"] == 12
        assert widget["x"] in {0, 12}
        assert widget["y"] % widget["height"] == 0
        assert widget["properties"]["region"] == REGION


def test_outputs_are_commands_and_names_to_copy() -> None:
    """No key is among them, only how to read it."""
    assert PLAIN.outputs["Url"] == f"https://Api.execute-api.{REGION}.amazonaws.com/live"
    (stage,) = PLAIN.of_type("AWS::ApiGateway::Stage").values()
    assert stage["StageName"] == "live"
    assert PLAIN.outputs["ReadKey"].startswith("aws apigateway get-api-key ")
    assert " --include-value " in PLAIN.outputs["ReadKey"]  # without it AWS leaves the key out
    assert PLAIN.outputs["RedriveCommand"] == (
        f"aws sqs start-message-move-task --region {REGION} "
        "--source-arn UploadDeadLetters.Arn --destination-arn UploadQueue.Arn"
    )
    names = {
        "InputBucket": "InputBucket",
        "ResultBucket": "ResultBucket",
        "QueueUrl": "UploadQueue",
        "DeadLettersUrl": "UploadDeadLetters",
        "UploadFunctionArn": "UploadFunction.Arn",
        "BatchRoleArn": "BatchRole.Arn",
    }
    assert {name: PLAIN.outputs[name] for name in names} == names


def create_job(words: list[str]) -> dict[str, Any]:
    """Return the parameters of ``aws s3control create-job`` in the form that its API takes."""
    given: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        name = "".join(part.capitalize() for part in word.removeprefix("--").split("-"))
        if name == "NoConfirmationRequired":
            given["ConfirmationRequired"] = False
        elif name == "Region":
            assert next(rest) == REGION
        else:
            value = next(rest)
            given[name] = json.loads(value) if value[0] == "{" else value
    if "Priority" in given:
        given["Priority"] = int(given["Priority"])
    return given


def takes(given: dict[str, Any]) -> None:
    """Check parameters of a job against the API's own description, its lists of words too."""
    service = boto3.session.Session().client("s3control", region_name=REGION)
    shape = service.meta.service_model.operation_model("CreateJob").input_shape
    whole = given | {"ClientRequestToken": "made by the CLI"}
    report = ParamValidator().validate(whole, shape)
    assert not report.has_errors(), report.generate_report()
    check_words(given, shape)


def check_words(given: Any, shape: Any) -> None:
    """Check that a text is one of the words of its type, where the API lists them."""
    if shape.type_name == "structure":
        for name, value in given.items():
            check_words(value, shape.members[name])
    elif shape.type_name == "list":
        for value in given:
            check_words(value, shape.member)
    elif getattr(shape, "enum", None):
        assert given in shape.enum


def test_the_batch_command_is_one_that_aws_takes() -> None:
    """Its parameters against the API's own description, but for the names of the resources."""
    words = shlex.split(PLAIN.outputs["BatchCommand"])
    assert words[:3] == ["aws", "s3control", "create-job"]
    given = create_job(words[3:])
    takes(given)
    invoke = given["Operation"]["LambdaInvoke"]
    assert (invoke["FunctionArn"], given["RoleArn"]) == ("UploadFunction.Arn", "BatchRole.Arn")
    # Arguments would take the place of DefaultOptions and of what the objects' metadata asks for.
    assert "UserArguments" not in invoke
    # What it grants is what the job needs: to list the bucket, call the worker, write the report.
    assert given["Report"]["Prefix"] == "reports"


def test_the_jobs_of_the_document_are_ones_that_aws_takes() -> None:
    """The whole command, and each parameter that can take the place of one of its own."""
    document = (app.LOCAL_MODELS.parent / "function/cutout/s3/README.md").read_text()
    lines = document.replace("\\\n", "").splitlines()
    command, *others = (
        line for line in lines if line.startswith(("aws s3control create-job ", "--manifest"))
    )
    given = create_job(shlex.split(command)[3:])
    takes(given)
    # The output's command with the names filled in, and with options.
    plain = create_job(shlex.split(PLAIN.outputs["BatchCommand"])[3:])
    assert given.keys() == plain.keys()
    assert given["Operation"]["LambdaInvoke"].pop("UserArguments") == {"format": "webp"}
    assert given["Operation"]["LambdaInvoke"].keys() == plain["Operation"]["LambdaInvoke"].keys()
    by_prefix, by_suffix, by_list = (create_job(shlex.split(words)) for words in others)
    assert by_list.keys() == {"Manifest"}
    given.pop("ManifestGenerator")
    for other in (by_prefix, by_suffix, by_list):
        takes(given | other)
    for generator in (by_prefix["ManifestGenerator"], by_suffix["ManifestGenerator"]):
        constraint = generator["S3JobManifestGenerator"]["Filter"]["KeyNameConstraint"]
        assert all(len(texts) == 1 for texts in constraint.values())  # more are refused


def test_the_commands_of_the_documents_are_ones_that_aws_takes() -> None:
    """Each names a call, options that it has, and all that it needs; ``aws s3`` is no one call."""
    of_the_cli = {"region", "query", "output"}
    renamed = {"notificationendpoint": "endpoint"}  # by the CLI, which has another --endpoint
    session, names = boto3.session.Session(), set()
    for document in (".github/DEPLOYMENT.md", ".github/RUNBOOK.md", "function/cutout/s3/README.md"):
        text = (ROOT / document).read_text(encoding="utf-8").replace("\\\n", "")
        for service, call, words in re.findall(r"\baws (\w+) ([a-z-]+)( --[^`\n]*)", text):
            if service == "s3" or call == "create-job":  # the test above reads these jobs
                continue
            model = session.client(service, region_name=REGION).meta.service_model
            operations = {name.lower(): name for name in model.operation_names}
            shape = model.operation_model(operations[call.replace("-", "")]).input_shape
            flags = re.findall(r" --(?:no-(?=enabled))?([a-z-]+)", words)
            options = [flag.replace("-", "") for flag in flags if flag not in of_the_cli]
            given = {renamed.get(option, option) for option in options}
            assert given <= {member.lower() for member in shape.members}, call
            assert given >= {member.lower() for member in shape.required_members}, call
            names.add(call)
    assert {"update-event-source-mapping", "update-job-status", "receive-message"} <= names


def test_the_deployments_options_reach_the_worker() -> None:
    """A parameter that reads well but is not one is refused when deploying or at the start."""
    settings = read_settings(environments(FULL)["UploadFunction"])
    assert settings.default_options == (("format", "webp"), ("bg_color", "white"))
    assert settings.catalogue_buckets == {"first-shop", "second.shop"}
    assert settings.has_storage
