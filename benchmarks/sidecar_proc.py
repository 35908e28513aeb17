"""Processor seconds of process trees and of the machine, from /proc (Linux)."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

PROC: Final = Path("/proc")
_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LISTENS: Final = "0A"


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its parent, and processor seconds of it and of its children that have ended."""

    parent: int
    cpu: float


def processes() -> dict[int, Process]:
    """Return every process there is."""
    found = {}
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        fields = text.rpartition(")")[2].split()
        found[int(folder.name)] = Process(int(fields[1]), sum(map(int, fields[11:15])) * _TICK)
    return found


def tree(root: int, among: dict[int, Process]) -> set[int]:
    """Return a process and its descendants."""
    found, new = set[int](), {root} & set(among)
    while new:
        found |= new
        new = {pid for pid, process in among.items() if process.parent in new} - found
    return found


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment. Seconds: the clock, those the machine was busy, those its host took, those of each tree, those of all ours.

    `writes` counts the subject's write calls since its start, `memory` its resident megabytes.
    """

    at: float
    busy: float
    stolen: float
    ours: float
    trees: dict[str, float]
    writes: int
    memory: float


def sample(roots: dict[str, int], subject: str) -> Sample:
    """Read everything once.

    Args:
        roots: the first process of each tree.
        subject: the one whose writes and memory are read.

    """
    there = processes()
    machine = [int(x) * _TICK for x in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _wait, irq, soft, stolen = machine
    trees = {name: sum(there[pid].cpu for pid in tree(root, there)) for name, root in roots.items()}
    ours = sum(there[pid].cpu for pid in tree(os.getpid(), there))
    members = tree(roots[subject], there)
    return Sample(
        at=perf_counter(),
        busy=user + nice + system + irq + soft,
        stolen=stolen,
        ours=ours,
        trees=trees,
        writes=sum(_writes(pid) for pid in members),
        memory=sum(int((PROC / str(pid) / "statm").read_text().split()[1]) for pid in members) * _PAGE / 2**20,
    )


def _writes(pid: int) -> int:
    text = (PROC / str(pid) / "io").read_text()
    return int(text.split("syscw:")[1].split()[0])


def cpu(root: int) -> float:
    """Return the processor seconds of a tree."""
    there = processes()
    return sum(there[pid].cpu for pid in tree(root, there))


def owners(port: int) -> set[int]:
    """Return the processes that hold a listening socket on 127.0.0.1 and a port."""
    address = f"{struct.unpack('=I', socket.inet_aton('127.0.0.1'))[0]:08X}:{port:04X}"
    sockets = set()
    for line in (PROC / "net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == address and fields[3] == _LISTENS:
            sockets.add(f"socket:[{fields[9]}]")
    return {pid for pid in processes() if sockets & _descriptors(pid)}


def _descriptors(pid: int) -> set[str]:
    found = set()
    try:
        for path in (PROC / str(pid) / "fd").iterdir():
            try:
                found.add(str(path.readlink()))
            except FileNotFoundError:
                continue
    except (FileNotFoundError, PermissionError):
        return set()  # ended, or somebody else's: it is not the subject
    return found


def require_owner(port: int, root: int, name: str) -> None:
    """End the run unless the port is held by a process of this tree, and by none beside it."""
    held, ours = owners(port), tree(root, processes())
    if not held or held - ours:
        raise SystemExit(f"port {port} is not {name}'s own (held by {sorted(held) or 'nobody'}): nothing here means anything")
