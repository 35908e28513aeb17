import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.files import FileRefused, atomic_write, is_safe_name, read_regular, safe_name


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_file_is_written_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a.json", "größer")
    atomic_write(tmp_path / "b.bin", b"\x00\xff")
    assert (tmp_path / "a.json").read_bytes() == "größer".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\xff"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "b.bin"]


def test_a_file_that_is_replaced_keeps_its_mode_and_a_new_one_is_not_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "a"
    atomic_write(path, "one")
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
    path.chmod(0o604)
    atomic_write(path, "two")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    atomic_write(path, "old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_the_content_is_on_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def noted_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    atomic_write(tmp_path / "a", "x")
    assert steps == ["file", "rename", "directory"]


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "nowhere" / "a", "x")


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_regular_file_of_any_size_up_to_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    assert read_regular(path, limit=100) == b"x" * 100
    with pytest.raises(FileRefused, match="E-FILE  it is larger than 99 bytes"):
        read_regular(path, limit=99)


def test_a_file_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(FileRefused, match="larger"):
        read_regular(path, limit=1000)


def test_what_is_no_regular_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        expected = {
            "link": "this is a symbolic link",
            "loop": "this is a symbolic link",
            "pipe": "this is a pipe, not a file",
            "socket": "it cannot be opened",
            ".": "this is a directory, not a file",
            "nowhere": "there is no such file",
            "file/below": "there is no such file",
            "nul\x00": "a name cannot hold a NUL character",
        }
        for name, words in expected.items():
            with pytest.raises(FileRefused, match=words) as caught:
                read_regular(tmp_path / name, limit=100)
            assert "\n    " in str(caught.value), name
    with pytest.raises(FileRefused, match="this is a device, not a file"):
        read_regular(Path(os.devnull), limit=100)


def test_a_link_is_followed_where_the_caller_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("gone")
    assert read_regular(tmp_path / "link", limit=9, follow=True) == b"x"
    with pytest.raises(FileRefused, match="there is no such file"):
        read_regular(tmp_path / "dangling", limit=9, follow=True)


def test_a_file_one_may_not_read_is_named_so(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(FileRefused, match="you may not read this file"):
        read_regular(path, limit=9)


def test_the_parts_of_a_refusal_can_be_taken_apart(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as caught:
        read_regular(tmp_path / "a", limit=9)
    refusal = caught.value
    assert (refusal.path, refusal.text) == (tmp_path / "a", "there is no such file")
    assert str(refusal) == f"{refusal.path}: E-FILE  {refusal.text}\n    {refusal.mend}"


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", ["acme", "acme-2026-10", "claims-qa@4.jsonl", "A_b.c+d", "9", "x" * 100, "console"])
def test_a_plain_name_is_safe_and_stays_as_it_is(name: str) -> None:
    assert is_safe_name(name)
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../../etc/passwd", "/abs", "a/b", "a\\b", "a\x00b", "x" * 300, "CON", "con.txt", "Lpt1", "nul.tar.gz",
        ".hidden", "-rf", "a b", "ü", "trailing.", "a\n", "a:b", "\u202egpj.exe",
    ],
    ids=ascii,
)  # fmt: skip
def test_any_other_name_becomes_a_safe_one_of_its_own(name: str) -> None:
    assert not is_safe_name(name)
    assert is_safe_name(safe_name(name))


@given(one=st.text(), other=st.text())
def test_two_texts_never_share_a_name(one: str, other: str) -> None:
    assert is_safe_name(safe_name(one))
    assert (safe_name(one) == safe_name(other)) == (one == other)


def test_a_safe_name_stays_readable() -> None:
    assert safe_name("Acme AI: uptime / October").startswith("Acme-AI-uptime-October-")
