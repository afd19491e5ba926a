"""Settings come from where they should, and a wrong one is named with its place."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.settings_file import SettingsError, load_settings, profiles
from swarm.bounds import BoundsError
from swarm.settings import Settings
from swarm.settings_block import Scalar

PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
FIRST = f"/ip4/1.2.3.4/tcp/1/p2p/{PEER}"
SECOND = f"/ip4/1.2.3.4/tcp/2/p2p/{PEER}"


def load(
    tmp_path: Path,
    *,
    home: str | bytes | None = None,
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
    **flags: object,
) -> Settings:
    file = tmp_path / "settings.toml"
    if home is not None:
        file.write_bytes(home if isinstance(home, bytes) else home.encode())
    return load_settings(
        home_file=file,
        profile=profile,
        environment=environment or {},
        flags={key.replace("__", "."): value for key, value in flags.items()},
    )


def test_nothing_said_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings.model_validate({})


@pytest.mark.parametrize("name", profiles())
def test_every_profile_that_ships_is_valid(tmp_path: Path, name: str) -> None:
    assert isinstance(load(tmp_path, profile=name), Settings)


def test_the_profiles_named_in_the_documents_ship() -> None:
    assert {"laptop", "gpu", "private", "demo"} <= set(profiles())


def test_stronger_sources_win_key_by_key(tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'task = "a"\n[node]\nnickname = "profile"\nnice = 1\nworkers = 1\nexperiments = 1\n'
    )
    settings = load(
        tmp_path,
        profile=str(profile),
        home='[node]\nnickname = "home"\nnice = 2\nworkers = 2\n',
        environment={"SWARM_NODE__NICE": "3", "SWARM_NODE__WORKERS": "3", "PATH": "x"},
        node__workers=4,
        node__nickname=None,
    )
    assert settings.task == "a"
    assert settings.node.experiments == 1
    assert settings.node.nickname == "home"
    assert settings.node.nice == 3
    assert settings.node.workers == 4


def test_the_environment_names_the_profile(tmp_path: Path) -> None:
    assert load(tmp_path, environment={"SWARM_PROFILE": "demo"}).task == "quick"
    chosen = load(tmp_path, profile="laptop", environment={"SWARM_PROFILE": "demo"})
    assert chosen.task == "tinypy"


@pytest.mark.parametrize(
    "text",
    [f"{FIRST}, {SECOND}", f'["{FIRST}","{SECOND}"]'],
)
def test_a_list_in_the_environment(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path, environment={"SWARM_NETWORK__BOOTSTRAP_PEERS": text})
    assert settings.network.bootstrap_peers == (FIRST, SECOND)


@pytest.mark.parametrize(
    ("home", "said"),
    [
        ("[node]\nworkers = 0\n", r"settings\.toml: node\.workers: expected 1 or more, not 0"),
        ("[node]\nworker = 2\n", r"settings\.toml: node\.worker: no such .*mean node\.workers\?"),
        ("colour = 1\n", r"settings\.toml: colour: no such setting; known are task, topic, node"),
        ("node = 3\n", r"settings\.toml: node: expected a table of settings, not 3"),
        ("[nodes]\nworkers = 1\n", r"settings\.toml: nodes: no such setting; did you mean node\?"),
        ("[node]\nnickname = 'a/b'\n", r"node\.nickname: expected at most 32 letters, digits"),
        ("[node]\nobserve = 2\n", r"node\.observe: expected true or false, not 2"),
        ("[search]\nfold_share = 1.5\n", r"search\.fold_share: expected 1 or less, not 1\.5"),
        ("[search]\nexclude_families = ['x']\n", r"expected some of learning_rate, .*, not 'x'"),
        ("[search.knobs.depth]\npin = 1\n", r"search\.knobs\.depth"),
        ("[search.knobs.DEPTH]\npins = 1\n", r"search\.knobs\.DEPTH\.pins: no such setting"),
        ("[search.knobs.DEPTH]\nlow = 'x'\n", r"DEPTH\.low: expected a number, not 'x'"),
        ("[search.knobs.DEPTH]\npin = [1]\n", r"DEPTH\.pin.*: expected .*, not \[1\]"),
        ("[network]\njoin = 'x'\n", r"network\.join: expected a list, not 'x'"),
        (
            "[node]\nnickname = ['x']\n",
            r"node\.nickname: expected text, not \['x'\]",
        ),
        (
            "[network]\nlisten_addrs = ['x']\n",
            r"listen_addrs: expected an address such as /ip4",
        ),
        ("task = 1\nnode 2\n", r"settings\.toml: not TOML: .*line 2"),
        (b"\xff\xfe", r"settings\.toml: not UTF-8"),
        (b"#" * 1_100_000, r"settings\.toml: larger than 1 MiB"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, home: str | bytes, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(tmp_path, home=home)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "SWARM_NODE__WORKERS",
            "many",
            "SWARM_NODE__WORKERS: expected a whole number, not 'many'",
        ),
        ("SWARM_NODE__WORKER", "2", "the environment: SWARM_NODE__WORKER: no such setting"),
        ("SWARM_TSAK", "quick", r"the environment: SWARM_TSAK: no such .*mean SWARM_TASK\?"),
        ("SWARM_NODE_WORKERS", "zero", r"no such setting; did you mean SWARM_NODE__WORKERS\?"),
        ("SWARM_QQQQQQ", "1", "known are SWARM_TASK, SWARM_TOPIC, SWARM_NODE__NICKNAME, "),
        ("SWARM_NETWORK__JOIN", "[1", "the environment: SWARM_NETWORK__JOIN: "),
        ("SWARM_NODE", "2", "the environment: SWARM_NODE: "),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        load(tmp_path, environment={name: value})


def test_knobs_are_pinned_bounded_and_excluded(tmp_path: Path) -> None:
    """A table for each knob, with the values in the knob's own type."""
    bounds = load(
        tmp_path,
        home="[search.knobs.DEPTH]\npin = 2\n[search.knobs.BIAS]\nvalues = [true]\n"
        "[search.knobs.CLIP]\nlow = 0.5\n[search.knobs.INIT]\nexclude = true\n",
    ).search.bounds
    allowed: list[tuple[str, Scalar]] = [("DEPTH", 2), ("BIAS", True), ("CLIP", 1), ("WIDTH", 9)]
    refused: list[tuple[str, Scalar]] = [("DEPTH", 3), ("BIAS", 1), ("CLIP", 0.25), ("INIT", "x")]
    assert [bounds.admits(*each) for each in allowed + refused] == [True] * 4 + [False] * 4
    assert bounds.for_knobs(["DEPTH", "BIAS", "CLIP", "INIT", "WIDTH"]) is bounds
    with pytest.raises(BoundsError, match=r"search\.knobs\.DEPTH: the task has no such knob, but"):
        bounds.for_knobs(["BIAS", "CLIP", "INIT"])


def test_a_wrong_flag_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"line: --experiments: expected 1 or more, not 0"):
        load(tmp_path, home="[node]\nexperiments = 3\n", node__experiments=0)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/ip4/1.2.3.4/tcp/99", r"add /p2p/ and the peer id: /ip4/"),
        ("/ip4/1.2.3.4/tcp/99/p2p/12D3KooWbad", "the peer id after /p2p/ is not one"),
        ("/ip4/1.2.3.4/tcp/99999/p2p/" + PEER, "'99999' is not a TCP port"),
        ("/ip4/1.2.3.400/tcp/9/p2p/" + PEER, "is not an ip4 address"),
    ],
)
def test_an_address_where_nobody_can_be_is_refused(tmp_path: Path, address: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"^the command line: --join: .*{said}"):
        load(tmp_path, network__join=(address,))


def test_an_address_to_listen_at_needs_no_peer(tmp_path: Path) -> None:
    addrs = ("/ip4/0.0.0.0/tcp/4001",)
    assert load(tmp_path, network__listen_addrs=addrs).network.listen_addrs == addrs


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of bootstrap peers such as someone may ship."""
    file = tmp_path / "public.toml"
    file.write_text(f'topic = "public"\n[network]\nbootstrap_peers = ["{FIRST}"]\n')
    monkeypatch.setattr("cli.settings_file.PUBLIC_TOPIC", file)
    return file


@pytest.mark.usefixtures("bootstrap")
def test_the_public_topic_has_its_bootstrap_peers_and_a_private_one_has_not(
    tmp_path: Path,
) -> None:
    assert load(tmp_path).network.bootstrap_peers == (FIRST,)
    assert load(tmp_path, profile="gpu").network.bootstrap_peers == (FIRST,)
    assert load(tmp_path, profile="private").network.bootstrap_peers == ()
    assert load(tmp_path, topic="lab").network.bootstrap_peers == ()
    own = f'[network]\nbootstrap_peers = ["{SECOND}"]\n'
    assert load(tmp_path, home=own).network.bootstrap_peers == (SECOND,)


def test_a_bad_bootstrap_peer_is_named_with_its_file(tmp_path: Path, bootstrap: Path) -> None:
    bootstrap.write_text('[network]\nbootstrap_peers = ["/ip4/1.2.3.4/tcp/1"]\n')
    with pytest.raises(SettingsError, match=r"public\.toml: network\.bootstrap_peers: .*/p2p/"):
        load(tmp_path)


def test_a_bootstrap_peer_may_be_a_name_in_the_dns(tmp_path: Path) -> None:
    """Which nobody can listen on."""
    name = "/dnsaddr/bootstrap.example.org"
    assert load(tmp_path, network__join=(name,)).network.join == (name,)
    with pytest.raises(SettingsError, match=r"--join: .*names nothing in the DNS"):
        load(tmp_path, network__join=("/dnsaddr/x/tcp/1",))
    with pytest.raises(SettingsError, match="--listen: "):
        load(tmp_path, network__listen_addrs=(name,))


def test_no_bootstrap_peer_is_shipped(tmp_path: Path) -> None:
    assert load(tmp_path, profile="public").network.bootstrap_peers == ()


@pytest.mark.parametrize(
    "setting", ["max_connections = 7", "max_connections_per_ip = 0", "max_journal_mebibytes = 1"]
)
def test_limits_have_limits(tmp_path: Path, setting: str) -> None:
    with pytest.raises(SettingsError, match=f"{setting.split()[0]}: expected"):
        load(tmp_path, home=f"[network]\n{setting}\n")
    assert load(tmp_path / "other", network__max_connections=9).network.max_connections == 9


@pytest.mark.parametrize("key", ["zz", "AB" * 32, "ab" * 33])
def test_a_pre_shared_key_is_64_hex_digits_and_is_not_repeated(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError, match="pre_shared_key: expected 64 hex digits") as told:
        load(tmp_path, home=f'[network]\npre_shared_key = "{key}"\n')
    assert key not in str(told.value).partition("expected")[2]


def test_a_topic_is_a_short_plain_word(tmp_path: Path) -> None:
    assert load(tmp_path, topic="lab").topic == "lab"
    with pytest.raises(SettingsError, match=r"--topic: expected `public`, or the name of a"):
        load(tmp_path, topic="The Lab")


def test_an_unknown_profile_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'lapptop' is not known: use demo, gpu, laptop"):
        load(tmp_path, profile="lapptop")


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, home="[node]\nworkers = 0\nnice = 99\n", environment={"SWARM_X": "1"})
    assert len(str(error.value).splitlines()) == 3


def test_a_wrong_value_is_named_even_where_a_stronger_one_hides_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"settings\.toml: node: "):
        load(tmp_path, home="node = 3\n", node__workers=2)
