"""One process of a service, held as its container would be: a root of its own and read-only, a numeric user, no capability.

Run by root as the first process of fresh mount and process namespaces, with the description as JSON in its one argument. It
becomes the program, which is process 1 as in a container. What it mounts is gone with it.
"""

import ctypes
import json
import os
import subprocess
import sys

_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    spec = json.loads(sys.argv[1])
    root = spec["root"]
    _mount("--bind", spec["files"], root)
    for path in spec["tmpfs"]:
        _mount("-t", "tmpfs", "-o", "nosuid,nodev,noexec,mode=1777", "tmpfs", root + path)
    for source, target, mode in spec["volumes"]:
        _mount("--bind", source, root + target)
        if mode == "ro":
            _mount("-o", "remount,bind,ro", root + target)
    _mount("-t", "proc", "-o", "nosuid,nodev,noexec", "proc", root + "/proc")
    _mount("-t", "tmpfs", "-o", "nosuid,noexec,mode=755", "tmpfs", root + "/dev")
    for device in ("null", "urandom"):
        open(f"{root}/dev/{device}", "w").close()
        _mount("--bind", f"/dev/{device}", f"{root}/dev/{device}")
    if spec["read_only"]:
        _mount("-o", "remount,bind,ro", root)
    os.chroot(root)
    os.chdir(spec["directory"])
    if spec["no_capabilities"]:
        for capability in range(64):
            if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break
    user, group = (int(part) for part in spec["user"].split(":"))
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    if spec["no_new_privileges"] and _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    os.execvpe(spec["words"][0], spec["words"], spec["environment"])


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


if __name__ == "__main__":
    main()
