"""The environment in, one checked set of settings or every problem with it out."""

from pathlib import Path

import pytest

from feedproxy.config import SETTINGS, Config, is_address, variable
from feedproxy.errors import ConfigError

MADE_UP = "hf_madeupsecret"
POSTGRES = "postgresql+psycopg://ada:made%2Fup@db:5432/papers?sslmode=require"


def load(**texts: str) -> Config:
    return Config.load({variable(name): text for name, text in texts.items()})


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("HOME", "/home/ada")


def test_defaults(tmp_path: Path) -> None:
    """With an empty environment everything has a value."""
    config = Config.load({})
    assert "https://huggingface.co" == config.listing
    assert str(tmp_path / "share" / "feedproxy" / "hub.sqlite") == config.archive
    assert (None, (), None) == (config.public_url, config.hosts, config.hf_token)
    assert (0, None, "") == (config.trusted_proxies, config.access_key, config.access_path)
    assert (1.0, 300, 900, 86_400, 24 * 2**20) == (
        config.pace,
        config.max_age,
        config.stale_while_revalidate,
        config.stale_if_error,
        config.cache_bytes,
    )
    assert {"default"} == set(config.origins.values())
    assert () == config.unknown


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("text", ["", "  ", '""', "' '", "\r"])
def test_empty_means_default(name: str, text: str) -> None:
    """An empty variable is one that is not there."""
    assert Config.load({}) == load(**{name: text})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("listing", "https://mirror.example.org/", "https://mirror.example.org"),
        ("listing", "http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("listing", "http://my_mirror:8000/hub", "http://my_mirror:8000/hub"),
        ("listing", "demo", "demo"),
        ("listing", "/srv/papers", "/srv/papers"),
        ("listing", "~/papers", "/home/ada/papers"),
        ("listing", "papers", str(Path("papers").absolute())),
        ("archive", "/srv/archive.sqlite", "/srv/archive.sqlite"),
        ("archive", "~/archive.sqlite", "/home/ada/archive.sqlite"),
        ("archive", "archive.sqlite", str(Path("archive.sqlite").absolute())),
        ("archive", "sqlite:////srv/archive.sqlite", "sqlite:////srv/archive.sqlite"),
        ("archive", POSTGRES, POSTGRES),
        ("archive", "postgresql:///papers?host=/run/postgresql", "postgresql:///papers?host=/run/postgresql"),
        ("public_url", "https://feeds.example.org/", "https://feeds.example.org"),
        ("public_url", "http://[::1]:8000/papers", "http://[::1]:8000/papers"),
        ("public_url", " http://192.0.2.7 ", "http://192.0.2.7"),
        ("hosts", "Feeds.example.org, [FD00::1],,my_box", ("feeds.example.org", "[fd00::1]", "my_box")),
        ("hf_token", MADE_UP, MADE_UP),
        ("trusted_proxies", "2", 2),
        ("access_key", "a-made_up-KEY-0123", "a-made_up-KEY-0123"),
        ("pace", "0", 0.0),
        ("pace", "2.5", 2.5),
        ("max_age", "0", 0),
        ("max_age", "86400", 86_400),
        ("stale_while_revalidate", "604800", 604_800),
        ("stale_if_error", "2592000", 2_592_000),
        ("archive", '"/srv/archive.sqlite"', "/srv/archive.sqlite"),
        ("archive", " '/srv/my archive.sqlite' \r", "/srv/my archive.sqlite"),
        ("archive", "/srv/it's.sqlite", "/srv/it's.sqlite"),
        ("archive", "/srv/\udce9.sqlite", "/srv/\udce9.sqlite"),  # a name in bytes that are not UTF-8
        ("archive", "postgresql://[::1]:5432/papers", "postgresql://[::1]:5432/papers"),
        ("listing", '"https://mirror.example.org"', "https://mirror.example.org"),
        ("public_url", "'https://feeds.example.org/'\r", "https://feeds.example.org"),
        ("hosts", '"a.example, b.example"', ("a.example", "b.example")),
        ("hosts", "*", ("*",)),
        ("hf_token", f'"{MADE_UP}"', MADE_UP),
        ("access_key", "'a-made_up-KEY-0123'", "a-made_up-KEY-0123"),
        ("max_age", '"60"', 60),
        ("metrics", "1", 1),
        ("metrics", "true", 1),
        ("metrics", "Yes", 1),
        ("metrics", "ON\r", 1),
        ("metrics", "False", 0),
        ("metrics", "no", 0),
        ("metrics", '"off"', 0),
        ("cache_bytes", "0", 0),
        ("cache_bytes", "1099511627776", 2**40),
    ],
)
def test_good_values(name: str, text: str, value: object) -> None:
    """What a setting may be becomes its value, and its origin is the variable."""
    config = load(**{name: text})
    assert value == getattr(config, name)
    assert text.strip("\"'").startswith("http") == is_address(str(value)) or name != "listing"
    assert variable(name) == config.origins[name]


DATABASE = "must be a file, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
PATH = "must be a path without control characters, and no quotation mark at its beginning or end"
HOSTS = "must be host names without a port, separated by commas, or * alone for any name"
ADDRESS = "must be an address such as https://example.org, without a user, ? or #"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("listing", "ftp://example.org", ADDRESS),
        ("listing", "http://", ADDRESS),
        ("listing", "http://example.org:port", ADDRESS),
        ("listing", "http://example.org:65536", ADDRESS),
        ("listing", "http://example.org?q=a", ADDRESS),
        ("listing", "http://exa mple.org", ADDRESS),
        ("listing", "http://[::1", ADDRESS),
        ("listing", "http://[1::2::3]", ADDRESS),
        ("listing", "http://1.2.3.999", ADDRESS),
        ("archive", "mysql://db/papers", DATABASE),
        ("archive", "postgresql+asyncpg://db/papers", DATABASE),
        ("archive", "postgresql://db", DATABASE),
        ("archive", "postgresql://db/papers#1", DATABASE),
        ("archive", '"/srv/archive.sqlite', PATH),
        ("archive", "“/srv/archive.sqlite”", PATH),
        ("archive", "\ufeff/srv/archive.sqlite", PATH),
        ("archive", "/srv/archive\x00.sqlite", PATH),
        ("feeds", "/srv/feeds.toml'", PATH),
        ("listing", "/srv/papers\n/srv", PATH),
        ("listing", "https:/example.org", ADDRESS),
        ("metrics", "2", "must be 1 or 0, true or false, yes or no, on or off"),
        ("metrics", "t", "must be 1 or 0, true or false, yes or no, on or off"),
        ("archive", "~nobody-of-this-name/a", "names a user whose home folder is not known"),
        ("public_url", "feeds.example.org", ADDRESS),
        ("public_url", "https://feeds.example.org/#a", ADDRESS),
        ("public_url", "https://feeds.example.org/<b>", ADDRESS),
        ("hosts", "a.example:80", HOSTS),
        ("hosts", "a.example, *", HOSTS),
        ("hosts", "*.example", HOSTS),
        ("trusted_proxies", "yes", "must be a whole number from 0 to 10"),
        ("pace", "-1", "must be seconds from 0 to 3600"),
        ("pace", "3601", "must be seconds from 0 to 3600"),
        ("pace", "nan", "must be seconds from 0 to 3600"),
        ("max_age", "5m", "must be a whole number from 0 to 86400"),
        ("max_age", "86401", "must be a whole number from 0 to 86400"),
        ("max_age", "٣", "must be a whole number from 0 to 86400"),
        ("stale_while_revalidate", "-1", "must be a whole number from 0 to 604800"),
        ("stale_if_error", "1e3", "must be a whole number from 0 to 2592000"),
        ("cache_bytes", "64MB", "must be a whole number from 0 to 1099511627776"),
    ],
)
def test_bad_values(name: str, text: str, message: str) -> None:
    """What a setting may not be is refused with what it wants and what it got."""
    with pytest.raises(ConfigError) as caught:
        load(**{name: text})
    assert f"{variable(name)} {message}, not {text!r}" == str(caught.value)
    assert 2 == caught.value.exit_code


def test_all_problems_at_once() -> None:
    """Every setting that cannot be used is named, each in a line of its own."""
    with pytest.raises(ConfigError) as caught:
        load(max_age="a\nb", pace="x", hosts="a b", hf_token="two words")  # noqa: S106
    problems = caught.value.problems
    assert ["FEEDPROXY_HOSTS", "FEEDPROXY_HF_TOKEN", "FEEDPROXY_PACE", "FEEDPROXY_MAX_AGE"] == [
        problem.partition(" ")[0] for problem in problems
    ]
    assert all(problem.isprintable() for problem in problems)


SECRET = "madeupsecret"  # noqa: S105


@pytest.mark.parametrize(
    ("archive", "text", "secrets"),
    [
        ("postgresql://ada@db/papers", "postgresql://ada@db/papers", ()),
        (f"postgresql://ada:{SECRET}@db/papers", "postgresql://ada:***@db/papers", (SECRET,)),
        (f"postgresql://ada:a%40{SECRET}%2F:x@db/papers", "postgresql://ada:***@db/papers", (f"a@{SECRET}/:x",)),
        (f"postgresql://a[da:{SECRET}@db/papers", "postgresql://a[da:***@db/papers", (SECRET,)),
        ("postgresql://feedproxy:feedproxy@db/papers", "postgresql://feedproxy:***@db/papers", ()),
        (f"postgresql://:{SECRET}@db:5432/papers", "postgresql://:***@db:5432/papers", (SECRET,)),
        (
            f"postgresql://db:5432/papers?user=ada&password=ha@{SECRET}",
            "postgresql://db:5432/papers?user=ada&password=***",
            (f"ha@{SECRET}",),
        ),
        (
            f"postgresql://db/papers?p%61ssword={SECRET}&sslpassword={SECRET}x&sslmode=require",
            "postgresql://db/papers?p%61ssword=***&sslpassword=***&sslmode=require",
            (SECRET, f"{SECRET}x"),
        ),
        ("sqlite:////srv/a@b:c.sqlite", "sqlite:////srv/a@b:c.sqlite", ()),
        ("/srv/a:b@c.sqlite", "/srv/a:b@c.sqlite", ()),
    ],
)
def test_passwords_of_the_archive(archive: str, text: str, secrets: tuple[str, ...]) -> None:
    """The archive's address is displayed without its passwords, wherever they are; they count as secrets."""
    config = load(archive=archive)
    assert (text, secrets) == (config.display("archive"), config.secrets)
    assert SECRET not in repr(config)


def test_secrets_are_not_shown() -> None:
    """The token and the key are in no text that is made of the settings."""
    config = load(hf_token=MADE_UP, access_key="key-madeupsecret")
    texts = [repr(config), *(config.display(name) for name in SETTINGS)]
    assert "(set)" in texts
    assert not [text for text in texts if SECRET in text]
    assert ("key-madeupsecret", MADE_UP) == config.secrets


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hf_token", f"{MADE_UP} \x01"),
        ("access_key", SECRET),
        ("public_url", f"https://ada:{SECRET}@example.org"),
        ("public_url", f"https://ada:a/{SECRET}@example.org"),
        ("public_url", f"https://ada:a@{SECRET}@example.org"),
        ("listing", f"https://ada:a/b@{SECRET}:x@example.org"),
        ("listing", f"https://example.org/?token={SECRET}"),
        ("listing", f"https:/ada:{SECRET}@example.org"),
        ("listing", f"ftp://ada:{SECRET}@example.org"),
        ("archive", f"mysql://ada:{SECRET}@db/papers"),
        ("archive", f"postgresql://ada:with/{SECRET}@db/papers"),
        ("archive", f"postgresql://ada:with@{SECRET}@db/papers"),
        ("archive", f"postgresql://ada:{SECRET}@with@db/papers"),
        ("archive", f"postgresql://ada:with#{SECRET}@db/papers"),
        ("archive", f"postgresql://ada:with?{SECRET}@db/papers"),
        ("archive", f"postgresql://ada:{SECRET} @db/papers"),
        ("archive", f"postgresql://ada@corp:{SECRET}/papers"),
        ("archive", f"postgresql://ada:{SECRET}"),
        ("archive", f"postgresql://ada:{SECRET}/papers"),
        ("archive", f"postgresql://db?password={SECRET}"),
        ("archive", f"postgresql:/ada:{SECRET}@db/papers"),
        ("archive", f"postgres:ada:{SECRET}@db/papers"),
        ("archive", f"postgresql+asyncpg://ada:{SECRET}@db/papers"),
    ],
)
def test_secrets_are_not_told(name: str, text: str) -> None:
    """An error repeats no password that a setting may hold, not even half of one."""
    with pytest.raises(ConfigError) as caught:
        load(**{name: text})
    assert SECRET not in str(caught.value)


def test_shown() -> None:
    """Values are shown as a person would type them."""
    config = load(hosts="a.example,b.example")
    assert ("a.example, b.example", "300", "", "") == tuple(
        config.display(name) for name in ("hosts", "max_age", "public_url", "hf_token")
    )


def test_unknown_variables() -> None:
    """A variable that looks like a setting and is none is reported, with the nearest setting."""
    names = ("FEEDPROXY_MAXAGE", "FEEDPROXY_PORT_8000_TCP_XYZZY", "PATH", "feedproxy_pace", "\ufeffFEEDPROXY_PACE")
    config = Config.load(dict.fromkeys(names, "1"))
    assert (
        "FEEDPROXY_MAXAGE is not a setting, did you mean FEEDPROXY_MAX_AGE?",
        "FEEDPROXY_PORT_8000_TCP_XYZZY is not a setting",
        "feedproxy_pace is not a setting, did you mean FEEDPROXY_PACE?",
        "'\\ufeffFEEDPROXY_PACE' is not a setting, did you mean FEEDPROXY_PACE?",
    ) == config.unknown


def test_options_overrule() -> None:
    """The command line goes before the environment, the environment before the default."""
    environment = {"FEEDPROXY_LISTING": "/environment", "FEEDPROXY_ARCHIVE": "/environment.sqlite"}
    config = Config.load(environment, {"listing": "/option", "archive": None})
    assert ("/option", "/environment.sqlite", 300) == (config.listing, config.archive, config.max_age)
    assert ("--listing", "FEEDPROXY_ARCHIVE", "default") == tuple(
        config.origins[name] for name in ("listing", "archive", "max_age")
    )


def test_wrong_option_is_named() -> None:
    """A problem names the option it came from."""
    with pytest.raises(ConfigError, match=r"^--listing must be an address .*, not 'ftp://x'$"):
        Config.load({}, {"listing": "ftp://x"})


def test_every_listing_has_its_own_archive(tmp_path: Path) -> None:
    """Made-up papers, a mirror's and a saved file's never end up among the Hub's."""
    listings = ("https://huggingface.co", "demo", "http://127.0.0.1:9", "/a", "/b")
    archives = {load(listing=listing).archive for listing in listings}
    assert 5 == len(archives)
    assert {tmp_path / "share" / "feedproxy"} == {Path(archive).parent for archive in archives}
    assert load(listing="/\udce9").archive not in archives  # a name in bytes that are not UTF-8
    assert load(listing="https://huggingface.co/").archive == Config.load({}).archive
