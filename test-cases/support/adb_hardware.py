# SPDX-License-Identifier: Apache-2.0
"""What the device for tests claims to be: a plain one, or an Arm board with an emulated CPU."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from model_profiling.pipeline.devices.emulated.device import EmulatedDevice

PROPERTIES = {
    "ro.product.manufacturer": "Test",
    "ro.product.model": "Stand-in",
    "ro.build.version.release": "15",
    "ro.build.version.sdk": "35",
    "ro.serialno": "TEST0001",
    "ro.soc.model": "None",
}


@dataclass(frozen=True)
class Hardware:
    """What the device claims to be; `data_mib` is the size of its storage.

    `links`, `binds`, `usr_folders` and `scripts` add to its file system: symbolic links by place,
    this machine's files by path with their place, folders of /usr, programs by name.
    """

    properties: Mapping[str, str] = field(default_factory=lambda: dict(PROPERTIES))
    max_frequency_khz: tuple[int, ...] = (1_800_000, 3_300_000)
    data_mib: int = 256
    cpuinfo: str | None = None
    links: Mapping[str, str] = field(
        default_factory=lambda: {
            "/bin/sh": "/usr/bin/dash",
            "/lib": "usr/lib",
            "/lib64": "usr/lib64",
            "/sbin": "usr/sbin",
        }
    )
    binds: Mapping[str, str] = field(default_factory=dict)
    usr_folders: tuple[str, ...] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)


#: The machine itself, as a device.
PLAIN = Hardware()
#: A shell that hands Arm programs to QEMU: what cannot be executed is given to /bin/sh (POSIX, execvp), by taskset and
#: env too, and this kernel cannot execute them.
_ARM_SHELL = """#!/usr/bin/dash
case $1 in -*) exec /usr/bin/dash "$@" ;; esac
exec /usr/local/lib/qemu-aarch64 -cpu CPU -L /usr/aarch64-linux-gnu "$@"
"""


def arm_board(device: EmulatedDevice) -> Hardware:
    """Return an Arm Linux board with an emulated CPU, which says so: this machine's kernel, QEMU below its shell."""
    said = subprocess.run(
        [
            str(device.qemu.path),
            "-cpu",
            device.cpu,
            "-L",
            str(device.sysroot),
            str(device.native_build.path),
            "--cpu-features",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loader = "ld-linux-aarch64.so.1"
    return Hardware(
        properties={"ro.product.model": "Emulated board", "ro.kernel.qemu": "1"},
        cpuinfo=f"processor\t: 0\n{said.stdout}\nprocessor\t: 1\n{said.stdout}",
        links={
            "/bin/sh": "/standin/bin/arm-sh",
            "/lib64": "usr/lib64",
            "/sbin": "usr/sbin",
            f"/lib/{loader}": f"/usr/aarch64-linux-gnu/lib/{loader}",
            "/lib/aarch64-linux-gnu": "/usr/aarch64-linux-gnu/lib",
            "/lib/x86_64-linux-gnu": "/usr/lib/x86_64-linux-gnu",
        },
        binds={str(device.qemu.path): "/usr/local/lib/qemu-aarch64"},
        usr_folders=("aarch64-linux-gnu",),
        scripts={
            "arm-sh": _ARM_SHELL.replace("CPU", device.cpu),
            "uname": '#!/usr/bin/dash\n[ "$1" = -m ] && echo aarch64 || exec /usr/bin/uname "$@"\n',
        },
    )
