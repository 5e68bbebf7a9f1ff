"""Running commands on a device, and copying files there and back."""

import subprocess
from pathlib import Path

import pytest
from devices import FakeHost, make_fake_host
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.devices import EmulatedDevice, SshDevice, open_device, transfer
from edge_runtime.devices import emulated as emulated_module
from edge_runtime.devices.device import Device
from edge_runtime.devices.emulated import BOARDS, Board, cached_root, enter_command
from edge_runtime.devices.ssh import ssh_error
from edge_runtime.devices.transfer import Parcel, get_file, put_files
from edge_runtime.errors import DeviceError, DeviceLostError, DeviceTimeoutError
from edge_runtime.files.reading import sha256


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    host, program = make_fake_host(tmp_path / "host")
    monkeypatch.setenv("FMNIST_EDGE_SSH", program)
    monkeypatch.setattr(transfer, "_PAUSES_S", (0.0, 0.0, 0.0))
    return host


# Names.


@pytest.mark.parametrize(
    ("name", "destination", "label"),
    [
        ("ssh:pi@raspberrypi", "pi@raspberrypi", "raspberrypi"),
        ("ssh:kitchen", "kitchen", "kitchen"),
        ("ssh://pi@10.0.0.7:2222", "ssh://pi@10.0.0.7:2222", "10.0.0.7"),
        ("ssh:pi@fe80::1%eth0", "pi@fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_ssh_devices_are_named_as_ssh_names_them(name, destination, label):
    device = open_device(name)
    assert isinstance(device, SshDevice)
    assert (device.destination, device.name, device.label) == (destination, destination, label)


@pytest.mark.parametrize(
    "name", ["pi@host", "", "ssh:", "ssh:-oProxyCommand=evil", "ssh:a b", "ssh:a\nb", "usb:1"]
)
def test_what_is_no_device_is_refused(name):
    with pytest.raises(DeviceError, match=r"expected|Expected"):
        open_device(name)


def test_a_port_behind_the_host_is_explained():
    with pytest.raises(DeviceError, match=r"write ssh://pi@host:2222, or name the port in"):
        open_device("ssh:pi@host:2222")


# Running.

ANY_SIGN = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
ARGUMENTS = ["a b", "", "*", "$HOME", "`id`", "'", '"', "\\", "a\nb", "-n", "~", "é", "!x", "%s"]


def test_every_argument_arrives_as_it_is(host):
    answer = host.device.run(["printf", "<%s>", *ARGUMENTS])
    assert answer.out.decode() == "".join(f"<{argument}>" for argument in ARGUMENTS)
    assert answer.code == 0


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    arguments=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
)
def test_any_text_survives_the_shell_there(host, arguments):
    answer = host.device.run(["printf", "<%s>", *(arguments or [""])])
    assert answer.out.decode() == "".join(f"<{each}>" for each in arguments or [""])


def test_a_nul_byte_is_refused(host):
    with pytest.raises(DeviceError, match="NUL byte"):
        host.device.run(["echo", "a\0b"])


def test_input_output_and_exit_code_pass_through(host):
    answer = host.device.run(["sh", "-c", "cat; echo oops >&2; exit 7"], data=b"\0\xff" * 70_000)
    assert (answer.code, answer.out, answer.err) == (7, b"\0\xff" * 70_000, "oops\n")
    assert host.device.run(["pwd"]).text == str(host.home)


def test_a_command_that_reads_no_input_is_no_error(host):
    assert host.device.run(["true"], data=bytes(10**6)).code == 0


def test_what_a_start_up_file_prints_is_left_out(tmp_path, monkeypatch):
    noisy = tmp_path / "ssh"
    noisy.write_text('#!/bin/sh\nfor line; do :; done\necho "Welcome!"\nexec sh -c "$line"\n')
    noisy.chmod(0o755)
    monkeypatch.setenv("FMNIST_EDGE_SSH", str(noisy))
    assert SshDevice("pi").run(["echo", "hello"]).out == b"hello\n"


def test_an_account_without_a_shell_is_named(tmp_path, monkeypatch):
    closed = tmp_path / "ssh"
    closed.write_text("#!/bin/sh\necho This account is currently not available.\nexit 1\n")
    closed.chmod(0o755)
    monkeypatch.setenv("FMNIST_EDGE_SSH", str(closed))
    with pytest.raises(DeviceError, match=r"starts no shell \(it said: This account is currently"):
        SshDevice("pi").run(["true"])


def test_ssh_is_called_so_that_it_never_asks_and_takes_nothing_for_an_option(host):
    host.device.run(["-x", "y"])
    (call,) = host.calls
    assert "'BatchMode=yes'" in call
    assert "'--', 'pi@raspberrypi', " in call


def test_ssh_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setenv("FMNIST_EDGE_SSH", "no-such-ssh -F x")
    with pytest.raises(DeviceError, match="no program 'no-such-ssh' here; install OpenSSH"):
        SshDevice("pi").run(["true"])


def test_a_command_that_hangs_is_ended(tmp_path, monkeypatch):
    hanging = tmp_path / "ssh"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("FMNIST_EDGE_SSH", str(hanging))
    with pytest.raises(DeviceTimeoutError, match="pi did not finish within 1 s"):
        SshDevice("pi").run(["true"], timeout_s=1)


# What ssh complains of; the texts are OpenSSH's own.


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "ssh: Could not resolve hostname raspi: Name or service not known",
            "no host 'raspi'",
        ),
        ("ssh: connect to host h port 22: Connection refused", "refuses the connection"),
        ("ssh: connect to host h port 22: No route to host", "does not answer"),
        ("ssh: connect to host h port 22: Connection timed out", "does not answer"),
        ("Connection timed out during banner exchange", "does not answer"),
        ("pi@h: Permission denied (publickey,password).", "ssh-copy-id pi@h"),
        (
            "Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures",
            "IdentitiesOnly",
        ),
        ("Host key verification failed.", "run `ssh pi@h` once"),
        (
            "No ED25519 host key is known for h and you have requested strict checking.\n"
            "Host key verification failed.",
            "run `ssh pi@h` once",
        ),
        (
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
            "Host key verification failed.",
            "ssh-keygen -R h",
        ),
        ("Bad owner or permissions on /home/me/.ssh/config", "chmod"),
        (
            "/home/me/.ssh/config: line 3: Bad configuration option: prot\n"
            "/home/me/.ssh/config: terminating, 1 bad configuration options",
            "line 3: Bad configuration option: prot",
        ),
        ("something quite new", "ssh cannot reach pi@h: something quite new"),
    ],
)
def test_each_complaint_of_ssh_is_one_sentence_with_advice(said, expected):
    error = ssh_error("pi@h", said)
    assert expected in str(error)
    assert "\n" not in str(error)
    assert not isinstance(error, DeviceLostError)


@pytest.mark.parametrize(
    "said",
    [
        "client_loop: send disconnect: Broken pipe",
        "Connection to h closed by remote host.",
        "Timeout, server h not responding.",
        "Connection reset by 1.2.3.4 port 22",
        "kex_exchange_identification: Connection closed by remote host",
        "",
    ],
)
def test_a_broken_connection_is_told_from_one_that_never_was(said):
    assert isinstance(ssh_error("pi@h", said), DeviceLostError)


def test_the_users_own_ssh_says_that_a_host_does_not_exist_or_refuses(monkeypatch):
    monkeypatch.delenv("FMNIST_EDGE_SSH", raising=False)
    with pytest.raises(DeviceError, match="refuses the connection"):
        SshDevice("ssh://pi@127.0.0.1:9").run(["true"], timeout_s=30)


# Files.

DATA = bytes(range(256)) * 2000


def put(host, data=DATA, target="a folder/the file"):
    return put_files(host.device, [Parcel(data, target)])


def parts(host):
    return sorted(path.name for path in host.home.rglob("*.part"))


def test_a_file_is_put_in_place_and_not_sent_again(host):
    assert put(host) == len(DATA)
    assert (host.home / "a folder" / "the file").read_bytes() == DATA
    assert put(host) == 0
    assert parts(host) == []


def test_an_empty_file_and_odd_names_are_put_too(host):
    for name in ("-n", "with 'quotes' and $x", "é/ü", str(host.home / "absolute")):
        put(host, b"", name)
        put(host, b"x", name)
        assert (host.home / name).read_bytes() == b"x"


@pytest.mark.parametrize("broken_after", [0, 1, 70_000, len(DATA) - 1])
def test_what_broke_off_goes_on_where_it_stopped(host, broken_after, monkeypatch):
    put_files(host.device, [Parcel(b"old", "f")])
    looked = host.device.run(["true"])
    assert looked.code == 0
    monkeypatch.setattr(transfer, "_PAUSES_S", ())
    calls = []

    def run(command, **options):
        # The first call looks, the second sends.
        if len(calls) == 1:
            host.breaks_input_after(broken_after)
        calls.append(command)
        return SshDevice.run(host.device, command, **options)

    device = type("Device", (), {"run": staticmethod(run), "name": "pi", "label": "pi"})()
    with pytest.raises(DeviceLostError):
        put_files(device, [Parcel(DATA, "f")])
    assert (host.home / "f").read_bytes() == b"old"
    assert (host.home / parts(host)[0]).stat().st_size == broken_after
    sent = put_files(host.device, [Parcel(DATA, "f")])
    assert sent == len(DATA) - broken_after
    assert (host.home / "f").read_bytes() == DATA
    assert parts(host) == []


def test_a_connection_that_breaks_twice_is_taken_up_again_by_itself(host):
    host.breaks_output_after(3)
    assert put(host) == len(DATA)
    assert (host.home / "a folder" / "the file").read_bytes() == DATA


@pytest.mark.parametrize("rest", [b"other bytes", DATA[:100] + b"!" + DATA[101:], DATA + b"more"])
def test_a_part_with_other_bytes_is_thrown_away_and_sent_again(host, rest):
    (host.home / f".{sha256(DATA)}.part").write_bytes(rest)
    put(host, target="f")
    assert (host.home / "f").read_bytes() == DATA
    assert parts(host) == []


def test_a_file_that_was_damaged_on_the_device_is_sent_again(host):
    put(host, target="f")
    (host.home / "f").write_bytes(DATA[:-1] + b"?")
    assert put(host, target="f") == len(DATA)
    assert (host.home / "f").read_bytes() == DATA


def test_a_folder_that_cannot_be_made_is_said_so(host):
    (host.home / "f").write_text("")
    with pytest.raises(DeviceError, match=r"could not look for files: .*f"):
        put(host, target="f/g")


def test_a_file_comes_back_whole_although_the_connection_breaks(host):
    (host.home / "-r é").write_bytes(DATA)
    assert get_file(host.device, "-r é") == DATA
    calls = []

    def run(command, **options):
        if len(calls) == 1:
            host.breaks_output_after(200_000)
        calls.append(command)
        return SshDevice.run(host.device, command, **options)

    device = type("Device", (), {"run": staticmethod(run), "name": "pi", "label": "pi"})()
    assert get_file(device, "-r é") == DATA
    assert len(calls) == 3
    assert int(calls[2][-1]) > 190_000


def test_a_missing_file_is_said_so(host):
    with pytest.raises(DeviceError, match=r"could not read nothing: .*nothing"):
        get_file(host.device, "nothing")


# The emulated device, without one.


def test_the_cache_is_named_by_what_goes_into_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    root = cached_root()
    assert root.parent == tmp_path / "fmnist-edge" / "emulated-pi"
    assert root.name.startswith("bookworm-arm64-")
    assert cached_root("trixie") != root
    monkeypatch.setattr(emulated_module, "PACKAGES", ("python3",))
    assert cached_root() != root


def test_an_emulated_device_that_was_not_built_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DeviceError, match=r"build it once, .* with: scripts/emulated-pi --build"):
        open_device("emulated")
    with pytest.raises(DeviceError, match=r"expected pi3, pi4, pi5\. Did you mean 'pi4'"):
        open_device("emulated:pi44")


def test_only_root_enters(monkeypatch, tmp_path):
    (tmp_path / "usr" / "bin").mkdir(parents=True)
    (tmp_path / "usr" / "bin" / "python3").touch()
    monkeypatch.setenv("FMNIST_EDGE_EMULATED_ROOT", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(DeviceError, match="only root may do"):
        EmulatedDevice.of()


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_the_processor_is_one_that_a_pi_has(board: Board, tmp_path, monkeypatch):
    monkeypatch.setattr(emulated_module, "is_arm64", lambda: False)
    (tmp_path / "var" / "lib").mkdir(parents=True)
    command = enter_command(tmp_path, ["uname"], board=board)
    assert f"QEMU_CPU={board.cpu}" in command
    text = (tmp_path / "var" / "lib" / f"cpuinfo-{board.cpu}").read_text()
    assert f"CPU part\t: {board.part}" in text
    assert text.endswith(f"Model\t\t: {board.name}, emulated\n")


def test_commands_here_end_with_their_time():
    with pytest.raises(DeviceTimeoutError):
        Device().run(["sleep", "60"], timeout_s=0.2)
    assert Device().run(["cat"], data=b"x").out == b"x"


def test_the_example_of_the_fake_is_a_real_program(host):
    program = host.folder / "fake ssh"
    done = subprocess.run([program, "x", "echo hello"], capture_output=True, input=b"")
    assert done.stdout == b"hello\n"
