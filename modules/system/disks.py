"""What folders lie on: which disk, how much room it has, whether it can be written, whether it is far away."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

NETWORK_FILE_SYSTEMS = {
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "9p", "ncpfs", "afs", "ceph", "glusterfs",
    "fuse.sshfs", "fuse.rclone", "fuse.gcsfuse", "fuse.s3fs", "fuse.glusterfs", "davfs", "webdav",
}  # fmt: skip
MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs"}
REMOTE_DRIVE = 4  # of GetDriveTypeW
# Folders whose content programs of these names copy to the internet, by a piece of their path.
CLOUD_FOLDERS = {
    r"^onedrive\b": "OneDrive",
    r"^dropbox\b": "Dropbox",
    r"^(icloud|mobile documents$|com~apple~clouddocs$)": "iCloud",
    r"^(google ?drive|googledrive)\b": "Google Drive",
    r"^nextcloud$": "Nextcloud",
    r"^owncloud$": "ownCloud",
    r"^pcloud ?drive$": "pCloud",
    r"^box sync$": "Box",
}


@dataclass(frozen=True)
class Disk:
    """Where a path lies."""

    place: str  # where the disk is mounted, or its drive
    kind: str  # its file system: "ext4", "ntfs", "nfs4"; "" where nobody says
    network: bool

    @property
    def in_memory(self) -> bool:
        return self.kind in MEMORY_FILE_SYSTEMS


def existing_folder(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def disk_of(path: Path) -> Disk:
    """The disk on which a path lies, or will lie."""
    real = os.path.realpath(existing_folder(path))
    if os.name == "nt":
        return _windows_disk(real)
    best = Disk("/", "", network=False)
    for part in psutil.disk_partitions(all=True):
        inside = real == part.mountpoint or real.startswith(part.mountpoint.rstrip("/") + "/")
        if inside and len(part.mountpoint) >= len(best.place):  # of two mounted over one another, the later one counts
            best = Disk(part.mountpoint, part.fstype, part.fstype.lower() in NETWORK_FILE_SYSTEMS)
    return best


def _windows_disk(real: str) -> Disk:
    drive = os.path.splitdrive(real)[0]
    if drive.startswith("\\\\"):
        return Disk(drive, "", network=True)
    windows: Any = getattr(ctypes, "windll", None)
    remote = windows is not None and windows.kernel32.GetDriveTypeW(f"{drive}\\") == REMOTE_DRIVE
    return Disk(drive, "", network=remote)


def device_of(path: Path) -> int:
    """A number that two paths share if they share their room."""
    return existing_folder(path).stat().st_dev


def free_bytes(path: Path) -> int:
    """Free bytes where a path lies, or will lie."""
    return shutil.disk_usage(existing_folder(path)).free


def write_error(folder: Path) -> OSError | None:
    """Why nothing can be written to a folder, which may not exist yet; found out by writing a small file, for real.

    Rights alone do not tell: of read-only disks, of access lists, of quotas, of disks without room.
    """
    place = folder
    try:
        while not os.path.lexists(place):
            place = place.parent
        place.stat()  # a link that leads nowhere, or to itself
        if not place.is_dir():
            return NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
        _write_probe(place)
    except OSError as error:
        return error
    return None


def _write_probe(folder: Path) -> None:
    """Raises OSError where that fails. Without buffers, which would write once more when they are closed."""
    handle, name = tempfile.mkstemp(prefix=".seachange-", suffix=".check", dir=folder)
    try:
        os.write(handle, bytes(4096))
        os.fsync(handle)
    finally:
        os.close(handle)
        Path(name).unlink(missing_ok=True)


def cloud_service(path: Path) -> str:
    """The program that copies a folder to the internet, as far as names tell; "" for none."""
    for piece in path.parts:
        for pattern, name in CLOUD_FOLDERS.items():
            if re.search(pattern, piece, re.IGNORECASE):
                return name
    return ""
