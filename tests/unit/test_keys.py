"""Accepted keys: fixed ones, and a list that is read again every minute."""

import boto3
import pytest
from moto import mock_aws

from cutout.errors import KeysUnavailable
from cutout.keys import FRESH_SECONDS, KEPT_SECONDS, RETRY_SECONDS, KeyList, Keys, digest_of

OLD, NEW = digest_of("old"), digest_of("new")


class Ssm:
    """A list somewhere else, and a clock; without ``text`` it cannot be read."""

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.reads = 0
        self.now = 1_000.0

    def read(self) -> str:
        self.reads += 1
        if self.text is None:
            raise KeysUnavailable(reason="ThrottlingException")
        return self.text

    def clock(self) -> float:
        return self.now

    def keys(self, *fixed: str) -> Keys:
        return Keys(frozenset(fixed), self.read, self.clock)


def test_without_any_digest_no_key_is_accepted() -> None:
    """Not even the empty one."""
    assert not Keys().accept("")
    assert not Keys().accept("old")


def test_fixed_keys_need_no_list() -> None:
    """As in local use."""
    keys = Keys(frozenset({OLD}))
    assert keys.accept("old")
    assert not keys.accept("new")
    assert not keys.accept("OLD")


def test_a_list_is_read_once_a_minute() -> None:
    """A key that is taken out of it is refused within that time, a new one accepted."""
    ssm = Ssm(f"{OLD.upper()},\n{digest_of('other')}")
    keys = ssm.keys()
    assert ssm.reads == 0
    assert keys.accept("old")
    ssm.text = NEW
    ssm.now += FRESH_SECONDS - 1
    assert (keys.accept("old"), keys.accept("new"), ssm.reads) == (True, False, 1)
    ssm.now += 1
    assert (keys.accept("old"), keys.accept("new"), ssm.reads) == (False, True, 2)


def test_a_value_without_digests_accepts_nothing() -> None:
    """Such as the word that stands for an empty list."""
    keys = Ssm("none").keys()
    for key in ("", "none", "old"):
        assert not keys.accept(key)


def test_a_request_without_a_key_is_never_let_in() -> None:
    """Not even with the digest of nothing, which ``printf %s "$KEY" | sha256sum`` can print."""
    nothing = digest_of("")
    for keys in (Keys(frozenset({nothing, OLD})), Ssm(f"{nothing},{OLD}").keys()):
        assert not keys.accept("")
        assert keys.accept("old")


def test_a_slip_in_the_list_locks_nobody_out() -> None:
    """The list is written by hand: a typographic quotation mark spoils one digest and no other."""
    keys = Ssm(f"\u201c{digest_of('other')}\u201d, {OLD}").keys()
    assert (keys.accept("old"), keys.accept("new"), keys.accept("other")) == (True, False, False)


def test_a_failure_keeps_the_last_list_for_a_while() -> None:
    """And never longer: then nobody is let in, until it can be read again."""
    ssm = Ssm(OLD)
    keys = ssm.keys()
    assert keys.accept("old")
    ssm.text = None
    ssm.now += KEPT_SECONDS - 1
    assert keys.accept("old")
    assert not keys.accept("new")
    ssm.now += 1
    with pytest.raises(KeysUnavailable):
        keys.accept("old")
    ssm.text = NEW
    ssm.now += RETRY_SECONDS
    assert (keys.accept("old"), keys.accept("new")) == (False, True)


def test_without_a_first_list_nobody_is_let_in() -> None:
    """The reason is for the log; SSM is not asked again at once."""
    ssm = Ssm(None)
    keys = ssm.keys()
    with pytest.raises(KeysUnavailable) as first:
        keys.accept("old")
    assert first.value.facts == {"reason": "ThrottlingException"}
    assert first.value.status == 503
    with pytest.raises(KeysUnavailable):
        keys.accept("old")
    assert ssm.reads == 1


def test_a_fixed_key_is_accepted_while_the_list_cannot_be_read() -> None:
    """Whoever has another one, or none, is told to come again."""
    ssm = Ssm(None)
    keys = ssm.keys(OLD)
    assert keys.accept("old")
    assert ssm.reads == 0
    for key in ("new", ""):
        with pytest.raises(KeysUnavailable):
            keys.accept(key)


def test_a_clock_that_is_set_back_makes_no_list_younger() -> None:
    """The list is read again."""
    ssm = Ssm(OLD)
    keys = ssm.keys()
    assert keys.accept("old")
    ssm.text = NEW
    ssm.now -= 100_000
    assert not keys.accept("old")


@pytest.mark.parametrize("kind", ["String", "StringList", "SecureString"])
def test_the_list_of_ssm(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each type of parameter is read, and what is written there later too."""
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        ssm = boto3.session.Session().client("ssm")
        ssm.put_parameter(Name="/cutout/keys", Type=kind, Value=f"{OLD},{NEW}")
        read = KeyList("/cutout/keys")
        assert read() == f"{OLD},{NEW}"
        ssm.put_parameter(Name="/cutout/keys", Type=kind, Value=NEW, Overwrite=True)
        assert read() == NEW
        with pytest.raises(KeysUnavailable) as refusal:
            KeyList("/cutout/nothing")()
        assert refusal.value.facts == {"reason": "ParameterNotFound"}


def test_ssm_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known soon, and is no crash."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(KeysUnavailable) as refusal:
        KeyList("/cutout/keys")()
    assert refusal.value.facts == {"reason": "EndpointConnectionError"}
