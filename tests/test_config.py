"""Settings: sources, allowed values and private values."""

from __future__ import annotations

import copy
import dataclasses
import errno
import os
import re
import traceback
from pathlib import Path
from typing import Any

import pytest

from navien_nwp500 import aws_iot_websocket, config as config_module
from navien_nwp500.config import SETTINGS, NaviLinkConfig, ReconnectConfig
from navien_nwp500.exceptions import ConfigurationError

TEMPLATE = Path(__file__).parents[1] / ".env.template"
SECRET = "correct-horse-battery"

_NAMES = "EMAIL PASSWORD LOG_LEVEL MQTT_PROTOCOL BASE_URL WEBSOCKET_URL CA_FILE WIRE_FORMAT"
VARIABLES = [f"NAVILINK_{name}" for name in f"{_NAMES} DEVICE_MAC POLLING_INTERVAL".split()]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove all NAVILINK variables and change to a folder without a .env file."""
    for name in [name for name in os.environ if name.startswith("NAVILINK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config_module, "_LOGGED", set())


def env_file(folder: Path, *lines: str) -> Path:
    path = folder / "settings.env"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


# Defaults


def test_everything_has_a_default() -> None:
    config = NaviLinkConfig()
    assert config.email is None
    assert config.password is None
    assert config.base_url == "https://nlus.naviensmartcontrol.com/api/v2.1"
    assert config.mqtt_protocol == "MQTT3"
    assert config.wire_format == "json"
    assert config.log_level == "INFO"
    assert config.ca_file is None
    assert config.device_mac is None
    assert config.polling_interval == 300.0
    assert config.reconnect == ReconnectConfig()
    assert NaviLinkConfig.from_environment() == config


def test_the_makers_broker_address_is_tried_before_that_of_aws() -> None:
    # PROTOCOL 2.1.
    assert NaviLinkConfig().websocket_urls == (
        "wss://nlus-iot.naviensmartcontrol.com/mqtt",
        "wss://a1t30mldyslmuq-ats.iot.us-east-1.amazonaws.com/mqtt",
    )


def test_a_given_broker_is_the_only_one() -> None:
    config = NaviLinkConfig(websocket_url="wss://localhost:8443/mqtt")
    assert config.websocket_urls == ("wss://localhost:8443/mqtt",)


def test_settings_are_given_directly() -> None:
    config = NaviLinkConfig(email="user@example.com", password=SECRET)
    assert (config.email, config.password) == ("user@example.com", SECRET)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        NaviLinkConfig().email = "user@example.com"  # type: ignore[misc]


# The environment and the file


def test_all_ten_variables_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("certificate", "utf-8")
    values = {
        "NAVILINK_EMAIL": "user@example.com",
        "NAVILINK_PASSWORD": SECRET,
        "NAVILINK_LOG_LEVEL": "DEBUG",
        "NAVILINK_MQTT_PROTOCOL": "MQTT5",
        "NAVILINK_BASE_URL": "https://localhost:8443/api/v2.1",
        "NAVILINK_WEBSOCKET_URL": "wss://localhost:8444/mqtt",
        "NAVILINK_CA_FILE": str(ca_file),
        "NAVILINK_WIRE_FORMAT": "binary",
        "NAVILINK_DEVICE_MAC": "01:23:45:67:89:AB",
        "NAVILINK_POLLING_INTERVAL": "30.5",
    }
    assert list(values) == VARIABLES
    expected = NaviLinkConfig(
        email="user@example.com",
        password=SECRET,
        log_level="DEBUG",
        mqtt_protocol="MQTT5",
        base_url="https://localhost:8443/api/v2.1",
        websocket_url="wss://localhost:8444/mqtt",
        ca_file=ca_file,
        wire_format="binary",
        device_mac="0123456789ab",
        polling_interval=30.5,
    )
    file = env_file(tmp_path, *(f"{name}={value}" for name, value in values.items()))
    assert NaviLinkConfig.from_environment(file) == expected
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert NaviLinkConfig.from_environment() == expected


def test_the_environment_has_priority_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = env_file(tmp_path, "NAVILINK_EMAIL=file@example.com", f"NAVILINK_PASSWORD={SECRET}")
    monkeypatch.setenv("NAVILINK_EMAIL", "real@example.com")
    config = NaviLinkConfig.from_environment(file)
    assert (config.email, config.password) == ("real@example.com", SECRET)


def test_overrides_have_priority_over_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = env_file(tmp_path, "NAVILINK_WIRE_FORMAT=json")
    monkeypatch.setenv("NAVILINK_WIRE_FORMAT", "json")
    config = NaviLinkConfig.from_environment(file, wire_format="binary", answer_timeout=3.0)
    assert (config.wire_format, config.answer_timeout) == ("binary", 3.0)


def test_a_dotenv_is_searched_in_parent_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("NAVILINK_EMAIL=above@example.com\n", "utf-8")
    below = tmp_path / "one" / "two"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert NaviLinkConfig.from_environment().email == "above@example.com"


def test_the_environment_is_never_changed(tmp_path: Path) -> None:
    file = env_file(tmp_path, "NAVILINK_EMAIL=user@example.com", "NAVILINK_LOG_LEVEL=DEBUG")
    before = dict(os.environ)
    NaviLinkConfig.from_environment(file)
    assert dict(os.environ) == before


def test_an_empty_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    assert NaviLinkConfig.from_environment() == NaviLinkConfig()


def test_the_unchanged_template_sets_nothing() -> None:
    assert NaviLinkConfig.from_environment(TEMPLATE) == NaviLinkConfig()


@pytest.mark.parametrize("line", ["'a${HOME}b$c'", "a${HOME}b$c"])
def test_a_password_of_the_file_is_not_interpolated(tmp_path: Path, line: str) -> None:
    file = env_file(tmp_path, f"NAVILINK_PASSWORD={line}")
    assert NaviLinkConfig.from_environment(file).password == "a${HOME}b$c"


def test_spaces_around_a_password_are_kept() -> None:
    assert NaviLinkConfig(password=" a b ").password == " a b "


def test_a_given_file_must_exist(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.env", tmp_path):
        with pytest.raises(ConfigurationError, match="env_file") as raised:
            NaviLinkConfig.from_environment(path)
        assert str(path) in str(raised.value)


def test_a_file_that_is_not_text_is_an_error_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "latin.env"
    path.write_bytes(f"# für\nNAVILINK_PASSWORD={SECRET}\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="latin.env") as raised:
        NaviLinkConfig.from_environment(path)
    assert_hidden(raised.value)


# Settings that would be lost


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_does_not_hide_the_first_line(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(mark + b"NAVILINK_READ_ONLY=1\r\nNAVILINK_EMAIL=user@example.com\r\n")
    for config in (NaviLinkConfig.from_environment(), NaviLinkConfig.from_environment(path)):
        assert (config.read_only, config.email) == (True, "user@example.com")


def test_an_unreadable_file_and_another_encoding_have_different_messages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for encoding in ("utf-16", "utf-16-le", "latin-1"):
        (tmp_path / ".env").write_text(f"NAVILINK_PASSWORD=ü{SECRET}\n", encoding)
        with pytest.raises(ConfigurationError, match="is not UTF-8 text; save it") as raised:
            NaviLinkConfig.from_environment()
        assert_hidden(raised.value)

    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigurationError, match=r"\.env cannot be read \(Permission denied\)"):
        NaviLinkConfig.from_environment()


@pytest.mark.parametrize(
    "line, said",
    [
        ("NAVILINK_READONLY=1", "NAVILINK_READONLY is .* did you mean NAVILINK_READ_ONLY?"),
        ("navilink_read_only=1", "navilink_read_only is .* did you mean NAVILINK_READ_ONLY?"),
        ("NAVILINK_MAC=0123456789ab", "did you mean NAVILINK_DEVICE_MAC?"),
        ("NAVILINK_PASWORD=" + SECRET, "did you mean NAVILINK_PASSWORD?"),
        ("NAVILINK_X=1", r"see \.env\.template"),
        ("NAVILINK_READ_ONLY", "must begin with NAVILINK_READ_ONLY="),
        ("NAVILINK_PASSWORD:" + SECRET, "must begin with NAVILINK_PASSWORD="),
        ("\u200bNAVILINK_READ_ONLY=1", "must begin with NAVILINK_READ_ONLY="),
    ],
)
def test_an_ignored_variable_is_logged_once_with_the_nearest_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, line: str, said: str
) -> None:
    file = env_file(tmp_path, line)
    for _ in range(2):
        assert NaviLinkConfig.from_environment(file) == NaviLinkConfig()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("navien_nwp500.config", "WARNING")
    assert re.search(said, record.getMessage())
    assert SECRET not in record.getMessage() and "0123456789ab" not in record.getMessage()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "no_proxy"])
def test_a_proxy_in_the_file_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    NaviLinkConfig.from_environment(env_file(tmp_path, f"{name}=http://me:{SECRET}@proxy.lan"))
    assert f"{name} is ignored; set it in the environment" in caplog.text
    assert SECRET not in caplog.text


def test_a_line_that_is_not_understood_is_told_with_file_and_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """python-dotenv alone tells neither the file nor what to do."""
    lines = (f'NAVILINK_PASSWORD="{SECRET}', f"{SECRET} and more", "export NAVILINK_READ_ONLY=1")
    file = env_file(tmp_path, *lines)
    for _ in range(2):
        assert NaviLinkConfig.from_environment(file) == NaviLinkConfig(read_only=True)
    assert len(caplog.messages) == 2 and SECRET not in caplog.text
    for number, text in enumerate(caplog.messages, 1):
        assert text.startswith(f"{file}, line {number}: not understood")


def test_an_ignored_variable_of_the_environment_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NAVILINK_READONLY", "1")
    monkeypatch.setenv("OTHER_NAVILINK_THING", "1")
    monkeypatch.setenv("NAVILINK_EMAIL", "")
    NaviLinkConfig.from_environment()
    assert [record.getMessage() for record in caplog.records] == [
        "NAVILINK_READONLY is not a setting and is ignored; did you mean NAVILINK_READ_ONLY?"
    ]


# The template


def test_the_template_lists_exactly_the_settings_with_their_descriptions() -> None:
    lines = TEMPLATE.read_text("utf-8").splitlines()
    assert lines[0].startswith("# ")
    pairs = list(zip(lines[1::2], lines[2::2]))
    assert len(lines) == 1 + 2 * len(pairs)
    assert [name for _, name in pairs] == [f"{setting.variable}=" for setting in SETTINGS]
    assert [text for text, _ in pairs] == [f"# {setting.meaning}" for setting in SETTINGS]
    assert len({setting.variable for setting in SETTINGS}) == len(SETTINGS)


def test_the_ten_required_variables_are_the_first() -> None:
    # REQUIREMENTS B2; new settings come after them.
    assert [setting.variable for setting in SETTINGS][:10] == VARIABLES


def test_every_setting_has_its_own_field() -> None:
    names = [setting.name for setting in SETTINGS]
    assert len(set(names)) == len(names)
    assert set(names) <= {field.name for field in dataclasses.fields(NaviLinkConfig)}


# Bad values

BAD = [
    ("NAVILINK_EMAIL", "email", "   ", "non-empty text"),
    ("NAVILINK_LOG_LEVEL", "log_level", "LOUD", "one of DEBUG, INFO, WARNING, ERROR"),
    ("NAVILINK_MQTT_PROTOCOL", "mqtt_protocol", "MQTT4", "one of MQTT3, MQTT5"),
    ("NAVILINK_BASE_URL", "base_url", "http://example.com", "begins with https://"),
    ("NAVILINK_BASE_URL", "base_url", "example.com", "begins with https://"),
    ("NAVILINK_BASE_URL", "base_url", "https://", "begins with https://"),
    ("NAVILINK_BASE_URL", "base_url", "https://[", "begins with https://"),
    ("NAVILINK_BASE_URL", "base_url", "https://host:99999", "begins with https://"),
    ("NAVILINK_BASE_URL", "base_url", "https://a..b", "a valid host name"),
    ("NAVILINK_BASE_URL", "base_url", "https://a b/api", "a valid host name"),
    ("NAVILINK_BASE_URL", "base_url", f"https://{'x' * 64}.example", "a valid host name"),
    ("NAVILINK_BASE_URL", "base_url", "https://[::1/api", "a valid host name"),
    ("NAVILINK_WEBSOCKET_URL", "websocket_url", "ws://example.com/mqtt", "begins with wss://"),
    ("NAVILINK_WEBSOCKET_URL", "websocket_url", "https://example.com", "begins with wss://"),
    ("NAVILINK_CA_FILE", "ca_file", "no/such/file.pem", "path of a readable file"),
    ("NAVILINK_CA_FILE", "ca_file", ".", "path of a readable file"),
    ("NAVILINK_CA_FILE", "ca_file", "~nobody-by-that-name/ca.pem", "path of a readable file"),
    ("NAVILINK_WIRE_FORMAT", "wire_format", "xml", "one of json, binary"),
    ("NAVILINK_DEVICE_MAC", "device_mac", "0123456789", "12 hexadecimal digits"),
    ("NAVILINK_DEVICE_MAC", "device_mac", "0123456789xy", "12 hexadecimal digits"),
    ("NAVILINK_POLLING_INTERVAL", "polling_interval", "soon", "seconds above 0"),
    ("NAVILINK_POLLING_INTERVAL", "polling_interval", "0", "seconds above 0"),
    ("NAVILINK_POLLING_INTERVAL", "polling_interval", "-5", "seconds above 0"),
    ("NAVILINK_POLLING_INTERVAL", "polling_interval", "nan", "seconds above 0"),
    ("NAVILINK_POLLING_INTERVAL", "polling_interval", "inf", "at most 86400"),
    ("NAVILINK_POLLING_INTERVAL", "polling_interval", "86401", "at most 86400"),
]


@pytest.mark.parametrize("variable, name, value, allowed", BAD)
def test_an_invalid_value_is_reported_with_its_source_and_the_allowed_values(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
    name: str,
    value: Any,
    allowed: str,
) -> None:
    with pytest.raises(ConfigurationError, match=allowed) as of_field:
        NaviLinkConfig(**{name: value})
    assert str(of_field.value).startswith(f"{name} is {value!r}")
    file = env_file(tmp_path, f'{variable}="{value}"')
    with pytest.raises(ConfigurationError, match=allowed) as of_file:
        NaviLinkConfig.from_environment(file)
    assert f"{variable} is " in str(of_file.value)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=allowed) as of_environment:
        NaviLinkConfig.from_environment()
    assert str(of_environment.value).startswith(f"{variable} is {value!r}")


def test_the_transport_has_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert NaviLinkConfig(transport="PURE").transport == "pure"
    with pytest.raises(ConfigurationError, match="transport is 'paho'; .* auto, awscrt, pure"):
        NaviLinkConfig(transport="paho")
    monkeypatch.setenv("NAVILINK_TRANSPORT", "pure")
    assert NaviLinkConfig.from_environment(TEMPLATE).transport == "auto"


@pytest.mark.parametrize("name", ["transport", *(setting.name for setting in SETTINGS)])
def test_a_field_of_another_type_is_a_configuration_error(name: str) -> None:
    for value in ([], {}, object(), 10**400, b"bytes"):
        values: dict[str, Any] = {name: value}
        with pytest.raises(ConfigurationError, match=name):
            NaviLinkConfig(**values)


def test_an_impossible_path_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="path of a readable file"):
        NaviLinkConfig(ca_file=Path("a\0b"))


@pytest.mark.parametrize("name", ["answer_timeout", "rest_timeout"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_timeout_must_be_above_0(name: str, value: float) -> None:
    values: dict[str, Any] = {name: value}
    with pytest.raises(ConfigurationError, match=f"{name} is {value}; it must be above 0"):
        NaviLinkConfig(**values)


@pytest.mark.parametrize(
    "name, value, kept",
    [
        ("log_level", "debug", "DEBUG"),
        ("mqtt_protocol", " mqtt5 ", "MQTT5"),
        ("wire_format", "BINARY", "binary"),
        ("device_mac", "01-23-45-67-89-AB", "0123456789ab"),
        ("device_mac", "0123.4567.89ab", "0123456789ab"),
        ("base_url", "https://example.com/api/ ", "https://example.com/api"),
        ("polling_interval", "60", 60.0),
        ("polling_interval", 86400, 86400.0),
    ],
)
def test_alternative_spellings_are_accepted(name: str, value: Any, kept: Any) -> None:
    values: dict[str, Any] = {name: value}
    assert getattr(NaviLinkConfig(**values), name) == kept


def test_a_path_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("certificate", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert NaviLinkConfig(ca_file=Path("~/ca.pem")).ca_file == tmp_path / "ca.pem"


# The password


def assert_hidden(error: BaseException) -> None:
    """Check that neither an error, its causes nor its traceback contain the password."""
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    chain: BaseException | None = error
    while chain is not None:
        shown += repr(chain) + str(chain) + repr(chain.args)
        chain = chain.__cause__ or chain.__context__
    assert SECRET not in shown


def test_the_repr_of_the_settings_hides_private_values() -> None:
    config = NaviLinkConfig(email="user@example.com", password=SECRET, device_mac="0123456789ab")
    for shown in (repr(config), str(config), f"{config}", repr([config]), repr(copy.copy(config))):
        assert SECRET not in shown
        assert "user@example.com" not in shown
        assert "0123456789ab" not in shown


@pytest.mark.parametrize("value", [SECRET.encode(), [SECRET], {"password": SECRET}])
def test_a_password_that_is_not_text_is_an_error_without_it(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="password is not usable") as raised:
        NaviLinkConfig(password=value)
    assert_hidden(raised.value)


def test_an_invalid_setting_beside_the_password_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = env_file(tmp_path, f"NAVILINK_PASSWORD={SECRET}", "NAVILINK_LOG_LEVEL=LOUD")
    with pytest.raises(ConfigurationError, match="NAVILINK_LOG_LEVEL") as raised:
        NaviLinkConfig.from_environment(file)
    assert_hidden(raised.value)
    with pytest.raises(ConfigurationError) as second:
        NaviLinkConfig(password=SECRET, base_url="ftp://example.com")
    assert_hidden(second.value)


def test_a_blank_password_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAVILINK_PASSWORD", "  ")
    with pytest.raises(ConfigurationError, match="NAVILINK_PASSWORD is not usable"):
        NaviLinkConfig.from_environment()


# Reconnecting


def test_the_defaults_for_reconnecting() -> None:
    config = ReconnectConfig()
    assert dataclasses.astuple(config) == (20, 2.0, 120.0, True)
    assert aws_iot_websocket.ReconnectConfig is ReconnectConfig


def test_reconnecting_can_be_endless_or_off() -> None:
    assert ReconnectConfig(max_retries=None).max_retries is None
    assert ReconnectConfig(max_retries=0).max_retries == 0
    assert ReconnectConfig(initial_delay=5.0, max_delay=5.0).max_delay == 5.0


@pytest.mark.parametrize(
    "values, said",
    [
        ({"max_retries": -1}, "max_retries is -1"),
        ({"initial_delay": 0}, "initial_delay is 0"),
        ({"initial_delay": -1.0}, "initial_delay is -1.0"),
        ({"initial_delay": 5.0, "max_delay": 4.0}, "max_delay 4.0"),
        ({"initial_delay": float("nan")}, "initial_delay is nan"),
        ({"max_delay": float("nan")}, "max_delay nan"),
    ],
)
def test_an_invalid_reconnect_setting_is_reported(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ReconnectConfig(**values)
