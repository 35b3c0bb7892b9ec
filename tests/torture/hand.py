"""What an action does in a tortured round: a small real process that writes down what it did, as a host or gate would.

    hand.py session ROOT HOSTS_JSON     stands where Ansible stands: has each host's work done, a line for each end
    hand.py do ROOT ACTION HOST SITE STRATEGY SUPERSEDES    the work itself, at the host or at the site's gate

Never refuses an action because it had begun before: the log tells. Imports nothing of ours, so that it starts at once.
A host's work is another machine's and survives who asked for it; a gate's order ends with the connection.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time

WIDTH = 2
PAUSE_S = 0.03
LINGER_S = 0.4


def note(path: str, word: str, action: str, *detail: str) -> None:
    """One line, on disk before anything else happens."""
    line = " ".join((word, action, str(time.time_ns() // 1000), *detail)) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, line.encode())
    os.fsync(handle)
    os.close(handle)


def reach(root: str, point: str) -> None:
    """Dies or stops here if it is planned, as in `points`; with `wait` it lingers and lives on."""
    try:
        with open(f"{root}/plan") as file:
            plan = json.load(file)
        if plan["point"] == point:
            os.unlink(f"{root}/plan")
            with open(f"{root}/struck.part", "w") as file:
                file.write(str(os.getpid()))
            os.rename(f"{root}/struck.part", f"{root}/struck")
            time.sleep(LINGER_S if plan["how"] in ("linger", "wait") else 0)
            if plan["how"] != "wait":
                os.kill(os.getpid(), signal.SIGSTOP if plan["how"] == "stop" else signal.SIGKILL)
    except FileNotFoundError:
        return


def session(root: str, hosts_json: str) -> None:
    """A few at a time, as Ansible's forks do; what is cancelled before it begins is skipped."""
    with open(hosts_json) as file:
        groups = json.load(file)
    waiting = [one for group in groups.values() for one in group["hosts"].values()]
    while waiting:
        reach(root, "session")
        now, waiting = waiting[:WIDTH], waiting[WIDTH:]
        for one, process in [(one, begin(root, one)) for one in now]:
            said = {"action": one["relance_action"], "outcome": "cancelled", "facts": "", "sentence": ""}
            if process:
                out, err = process.communicate()
                said.update(outcome="failed" if process.returncode else "ok", facts=out, sentence=err)
                if process.returncode < 0:
                    continue  # cut off: nobody knows, and its mark will tell
            print(json.dumps(said), flush=True)


def begin(root: str, one: dict[str, str]) -> "subprocess.Popen[str] | None":
    """The process that does it, None where it was cancelled."""
    if os.path.exists(one["relance_cancelled"]):
        return None
    names = ("action", "host", "site", "strategy", "supersedes")
    words = [sys.executable, "-I", "-S", __file__, "do", root, *(one[f"relance_{name}"] for name in names)]
    far: dict[str, str] | None = None if "/isolate/" in words[6] or "/reconnect/" in words[6] else {}
    return subprocess.Popen(
        words, env=far, start_new_session=far is not None, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def at_gate(root: str, action: str, host: str, site: str) -> None:
    """The gate does as it is told, and says when."""
    reach(root, "gate-asked")
    time.sleep(PAUSE_S)
    word = action.split("/")[1] if host else "isolate-site"
    note(f"{root}/gates/{site}.log", word, action, host or site)
    reach(root, "gate-moved")
    time.sleep(PAUSE_S)
    state = {"isolate": "isolated", "reconnect": "open"}.get(word, "isolated")
    print(json.dumps({"host": host, "state": state}))


def at_host(root: str, action: str, host: str, strategy: str, supersedes: str) -> None:
    """The work between two marks; refused (9) beside work that runs and beside another's standing mark."""
    log, tool = f"{root}/hosts/{host}.log", action.split("/")[1]
    lock = os.open(f"{root}/hosts/{host}.running", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(9)
    standing, running = "", dict[str, str]()
    with open(log, "a+") as file:
        file.seek(0)
        for word, of, _, *detail in (line.split() for line in file):
            standing = {"begin": of, "end": ""}.get(word, standing)
            running = {**running, of: detail[0]} if word == "run" else running
            if word in ("ran", "cut"):
                running.pop(of)
    for of, what in running.items():
        note(log, "cut", of, what)
    if standing not in ("", action, supersedes):
        sys.exit(9)
    note(log, "begin", action, supersedes or "-")
    what = f"restore:{strategy}" if tool == "restore" else tool
    reach(root, "mark-begun")
    note(log, "run", action, what)
    time.sleep(PAUSE_S)
    reach(root, "work-done")
    facts: dict[str, object] = {"digest": "0" * 64, "medium": "tape-1", "holder": "store"}
    if tool == "restore":
        facts = {"host_key": "ssh-ed25519 AAAA", "restore_point_us": 1, "image_digest": "0" * 64}
    said = json.dumps(facts, separators=(",", ":"))
    note(log, "ran", action, what, "ok", said.replace(" ", "\\u0020"))
    time.sleep(PAUSE_S)
    note(log, "end", action, "ok")
    reach(root, "mark-ended")
    print(said)


if __name__ == "__main__":
    if sys.argv[1] == "session":
        session(*sys.argv[2:])
    else:
        root, action, host, site, strategy, supersedes = sys.argv[2:]
        if "/isolate/" in action or "/reconnect/" in action:
            at_gate(root, action, host, site)
        else:
            at_host(root, action, host, strategy, supersedes)
