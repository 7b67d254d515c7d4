#!/usr/bin/env python3
"""docs/coverage.md against the sources: coverage.py ROOT [--write].

The lower part of that page, from the first chapter's heading on, has a row for each function
of mpi_functions.h, in its order. What it says is taken from the sources: "named error" for an
entry of src/mpi/unsupported_*.c, else "here". Only "partly: REASON" is written by hand, and
only where a function is there. With --write the page is brought in step, reasons kept;
without, each difference is a failure.
"""
import glob
import os
import re
import sys

START = "<!-- from here on: tests/abi/coverage.py --write -->\n"


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def chapters_of(root):
    """[(title, [function, ...]), ...] and the set of functions with a _c form."""
    text = read(root, "include", "mpi_functions.h")
    large = set(re.findall(r"\b(MPI_\w+)_c\(", read(root, "include", "mpi_large_counts.h")))
    parts = re.split(r"/\* ---- (.*?) ---- \*/", text)[1:]
    return [(title, re.findall(r"^(?:PEAL_REPLACED_BY.*?\)\s)?(?:int|double|MPI_\w+) (MPI_\w+)\(", body, re.M))
            for title, body in zip(parts[::2], parts[1::2])], large


def unsupported_in(root):
    names = set()
    for path in glob.glob(os.path.join(root, "src", "mpi", "unsupported_*.c")):
        names.update("MPI_" + name for name in re.findall(
            r"^UNSUPPORTED(?:_FILE|_TOOL)?\(\s*(\w+)|^UNSUPPORTED_ON\(\s*\w+,\s*(\w+)", read(path), re.M)
            for name in name if name)
    return names


def state_of(name, large, unsupported, reasons):
    forms = [name] + ([name + "_c"] if name in large else [])
    missing = [form for form in forms if form in unsupported]
    if len(missing) == len(forms):
        return "named error"
    if missing:
        return "partly: %s is a named error" % missing[0]
    return reasons.get(name, "here")


def page(root, old):
    """The page as it should be, and counts."""
    head, _, rows = old.partition(START)
    reasons = {name: state for name, state in re.findall(r"^\| `(MPI_\w+)`.*? \| (partly: .*?) \|$", rows, re.M)
               if not state.endswith(" is a named error")}
    chapters, large = chapters_of(root)
    unsupported, counts, out = unsupported_in(root), {"here": 0, "partly": 0, "named error": 0}, [head, START]
    for title, names in chapters:
        out.append("\n## %s\n\n| function | state |\n|---|---|\n" % title)
        for name in names:
            state = state_of(name, large, unsupported, reasons)
            counts[state.split(":")[0]] += 1
            out.append("| `%s`%s | %s |\n" % (name, ", `_c`" if name in large else "", state))
    return "".join(out), counts


def main():
    root, path = sys.argv[1], os.path.join(sys.argv[1], "docs", "coverage.md")
    old = read(path)
    new, counts = page(root, old)
    print("%(here)d here, %(partly)d partly, %(named error)d named errors" % counts)
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)
        return 0
    was, now = old.splitlines(), new.splitlines()
    for line in sorted(set(was) - set(now)):
        print("docs/coverage.md says: %s" % line)
    for line in sorted(set(now) - set(was)):
        print("the sources say:       %s" % line)
    if old != new:
        print("out of step: run tests/abi/coverage.py . --write")
    return 1 if old != new or sum(counts.values()) < 450 else 0


if __name__ == "__main__":
    sys.exit(main())
