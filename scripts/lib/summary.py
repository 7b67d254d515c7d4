#!/usr/bin/env python3
"""Sums up meson's test logs: summary.py NAME=testlog.json ...

Prints of each test that failed the lines that tell the most, then each test that
failed or was skipped (with the last line it wrote, which says why), then `N passed, N failed[, N skipped]` alone on a line. A run that
left no log, or ran no test at all, counts as one failure: silence is no success.
`NAME=ok` and `NAME=failed` and `NAME=skipped:reason` count one step that is not a meson test run.
"""
import json
import os
import re
import sys

GOOD = {"OK", "EXPECTEDFAIL"}


TELLING = re.compile(r"\[----\]|\[FAIL\]|\[CRASH|ERROR|error:|FAILED|Sanitizer|runtime error|^ *#[0-9]+ 0x|terminated")
SHOWN = 12


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def told(test):
    """The lines of a failed test's output that say the most, and its last ones."""
    lines = [line.rstrip() for line in (test.get("stdout") or "").splitlines() + (test.get("stderr") or "").splitlines()]
    lines = [line[:220] for line in lines if line.strip()]
    telling = [line for line in lines if TELLING.search(line) and line.strip() != "[----]"]
    return telling[:SHOWN] + [line for line in lines[-SHOWN // 2:] if line not in telling[:SHOWN]]


def read_log(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace") as log:
        return [json.loads(line) for line in log if line.strip()]


def run(name, where, counts, failed, skipped):
    if where == "ok":
        counts["passed"] += 1
        return
    if where.startswith("skipped:"):
        skipped.append((name, where[len("skipped:"):]))
        return
    tests = read_log(where) if where != "failed" else []
    if not tests:
        failed.append((name, "the step itself failed" if where == "failed" else "no test ran", []))
    for test in tests:
        label = name + ": " + test["name"]
        said = last_line(test.get("stdout") or "") or last_line(test.get("stderr") or "")
        if test["result"] in GOOD:
            counts["passed"] += 1
        elif test["result"] == "SKIP":
            skipped.append((label, said))
        else:
            failed.append((label, test["result"].lower() + (": " + said if said else ""), told(test)))


def main():
    counts, failed, skipped = {"passed": 0}, [], []
    for argument in sys.argv[1:]:
        name, where = argument.split("=", 1)
        run(name, where, counts, failed, skipped)
    for label, why in skipped:
        print("skipped  %s (%s)" % (label, why or "no reason given"))
    for label, _, lines in failed:
        print("output of %s:" % label)
        for line in lines:
            print("    " + line)
    for label, why, _ in failed:
        print("FAILED   %s (%s)" % (label, why))
    line = "%d passed, %d failed" % (counts["passed"], len(failed))
    if skipped:
        line += ", %d skipped" % len(skipped)
    print(line)
    return 1 if failed or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
