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

PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 4
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


def prctl(option, *arguments):
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *values) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def set_capabilities(bits):
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
    if libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def become(uid):
    try:
        # The change of user drops no right then, and access(2), which PostgreSQL asks first, counts them too.
        prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    except OSError:
        pass
    os.setgroups([])
    os.setgid(pwd.getpwuid(uid).pw_gid)
    os.setuid(uid)
    try:
        set_capabilities(1 << CAP_DAC_READ_SEARCH)
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH)
    except OSError:
        # Root has fewer rights here, as in some containers: works where ordinary permissions let that user in.
        set_capabilities(0)


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
