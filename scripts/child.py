"""Runs a command that cannot outlive the process that started it, not even when that one is killed with -9.

child.py SIGNAL PARENT_PID UID COMMAND [ARGUMENT...]     UID '-' keeps the user

The kernel sends SIGNAL when the parent dies. As another user the command keeps one right of root's, to read and to pass
through folders, so that it reaches its programs and data below folders that only root may enter.
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


def prctl(option, *arguments):
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *values) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def become(uid):
    prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(pwd.getpwuid(uid).pw_gid)
    os.setuid(uid)
    bit = 1 << CAP_DAC_READ_SEARCH
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    try:
        if libc.capset(header, data) != 0:
            raise OSError(ctypes.get_errno(), "capset")
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH)
    except OSError as error:
        # Still works where ordinary permissions let that user in; if not, the command says what it cannot read.
        print(f"child.py: cannot keep the right to read root's folders: {error}", file=sys.stderr)


def main():
    death_signal, parent, uid, *command = sys.argv[1:]
    if uid != "-":
        become(int(uid))
    # After the change of user, which clears it.
    prctl(PR_SET_PDEATHSIG, int(getattr(signal, death_signal)))
    if os.getppid() != int(parent):
        sys.exit("child.py: the launcher is gone")
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"child.py: cannot run {command[0]}: {error}")


main()
