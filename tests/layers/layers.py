#!/usr/bin/env python3
"""The walls of the house: layers.py ROOT, or layers.py --self-test.

Reads the sources below ROOT and fails on
- an #include that points up: each floor of src/ names the floors it may see;
- a file of over 900 lines (those over 500 are printed, as a hint);
- the marks of unfinished work (see MARKS).

With --self-test it builds a small bad tree, one fault of each kind, and fails
unless each is found, and a good tree in which nothing is.
"""
import os
import re
import sys
import tempfile

# Which floors each floor's files may include from. `include` is the public headers.
BELOW_MPI = {"base", "transport", "p2p", "collectives", "world"}
MAY_SEE = {
    "src/base": {"base"},
    "src/transport": {"base", "transport"},
    "src/cuda": {"base", "cuda"},
    "src/p2p": {"base", "transport", "p2p"},
    "src/collectives": {"base", "transport", "p2p", "collectives"},
    "src/world": {"base", "transport", "p2p", "world"},
    "src/mpi": BELOW_MPI | {"mpi", "include"},
    "src/launch": {"base", "launch"},
    "src/server": {"include", "server"},
    "src/tool": {"include", "base", "transport", "p2p", "collectives", "world", "tool"},
    "examples": {"include", "examples"},
    "include": {"include"},
}
# The launcher speaks the world's wire and knows nothing else of it.
WIRE = re.compile(r"wire")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
MARKS = re.compile(r"\b(%s)\b" % "|".join(["TO" + "DO", "FIX" + "ME", "TB" + "D", "X" + "XX"]))
SOURCES = (".c", ".h", ".py", ".sh", ".awk", ".md", ".cu", "meson.build", ".txt", ".map")
FOLDERS = ("src", "include", "examples", "tests", "scripts", "docs")
LONGEST, LONG = 900, 500
# Files that may be longer, and why.
LONGER = {}


def source_files(root):
    """Paths, relative to root, of what people wrote."""
    for name in sorted(os.listdir(root)):
        if os.path.isfile(os.path.join(root, name)) and name.endswith(SOURCES):
            yield name
    for folder in FOLDERS:
        for where, folders, names in os.walk(os.path.join(root, folder)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(SOURCES) or where.endswith("scripts"):
                    yield os.path.relpath(os.path.join(where, name), root)


def floor_of(path):
    """The key of MAY_SEE for a file, or None where there is no rule (tests)."""
    parts = path.split(os.sep)
    if parts[0] == "src" and len(parts) > 2:
        return "src/" + parts[1]
    return parts[0] if parts[0] in MAY_SEE else None


def owners_of_headers(paths):
    """Header name -> the set of floors that have one of that name."""
    owners = {}
    for path in paths:
        if path.endswith(".h") and floor_of(path):
            owners.setdefault(os.path.basename(path), set()).add(floor_of(path).replace("src/", ""))
    return owners


def check_include(path, floor, name, quoted, owners):
    """What is wrong with this #include, or None."""
    if ".." in name.split("/"):
        return "includes %s by a path; headers are included by bare name" % name
    found = owners.get(os.path.basename(name), set())
    own = floor.replace("src/", "")
    if not found:
        return "includes %s, which is nowhere in the house" % name if quoted else None
    if own in found:
        return None
    if len(found) > 1:
        return "includes %s, which %s all have" % (name, ", ".join(sorted(found)))
    (owner,) = found
    if owner in MAY_SEE[floor]:
        return None
    if own == "launch" and owner == "world" and WIRE.search(os.path.basename(name)):
        return None
    if own == "world" and owner == "include" and os.path.basename(name) == "peal.h":
        return None
    if not quoted and owner != "include":
        return None
    return "%s may not see %s: includes %s" % (own, owner, name)


def check_file(root, path, owners, faults):
    floor = floor_of(path)
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    if len(lines) > LONGEST and path not in LONGER:
        faults.append("%s: %d lines, %d at most" % (path, len(lines), LONGEST))
    elif len(lines) > LONG:
        print("%s: %d lines" % (path, len(lines)))
    for number, line in enumerate(lines, 1):
        if MARKS.search(line):
            faults.append("%s:%d: unfinished: %s" % (path, number, line.strip()))
        match = INCLUDE.match(line) if floor and path.endswith((".c", ".h", ".cu")) else None
        wrong = match and check_include(path, floor, match.group(2), match.group(1) == '"', owners)
        if wrong:
            faults.append("%s:%d: %s" % (path, number, wrong))


def check_tree(root):
    paths = list(source_files(root))
    owners = owners_of_headers(paths)
    faults = []
    for path in paths:
        if path.startswith("src" + os.sep) and floor_of(path) and floor_of(path) not in MAY_SEE:
            faults.append("%s: a floor that has no rule in tests/layers/layers.py" % path)
            continue
        check_file(root, path, owners, faults)
    return len(paths), faults


def write_tree(root, files):
    for path, text in files.items():
        os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)


GOOD_TREE = {
    "include/mpi.h": "#include <stdint.h>\n",
    "include/peal.h": "",
    "src/base/log.h": "",
    "src/transport/transport.h": '#include "log.h"\n',
    "src/p2p/comm.h": '#include "transport.h"\n',
    "src/world/world_wire.h": '#include "log.h"\n',
    "src/world/world.h": '#include "comm.h"\n#include "peal.h"\n',
    "src/mpi/send.c": '#include <mpi.h>\n#include "world.h"\n#include "comm.h"\n',
    "src/launch/mpiexec.c": '#include "world_wire.h"\n#include "log.h"\n#include <stdio.h>\n',
    "examples/01.c": "#include <mpi.h>\n",
}
# Each bad file and a word of the fault it must lead to.
BAD_FILES = {
    "src/base/a.c": ('#include "transport.h"\n', "base may not see transport"),
    "src/transport/a.c": ('  #  include "comm.h"\n', "transport may not see p2p"),
    "src/p2p/a.c": ("#include <mpi.h>\n", "p2p may not see include"),
    "src/world/a.c": ("#include <mpi.h>\n", "world may not see include"),
    "src/launch/a.c": ('#include "world.h"\n', "launch may not see world"),
    "src/mpi/a.c": ('#include "nowhere.h"\n', "nowhere in the house"),
    "src/server/a.c": ('#include "comm.h"\n', "server may not see p2p"),
    "src/attic/a.c": ("\n", "no rule"),
    "examples/a.c": ('#include "log.h"\n', "examples may not see base"),
    "examples/b.c": ('#include "../src/base/log.h"\n', "by a path"),
    "tests/long.c": ("\n" * (LONGEST + 1), "lines"),
    "tests/mark.c": ("/* " + "TO" + "DO: later */\n", "unfinished"),
}


def self_test():
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, GOOD_TREE)
        wrong += ["in a good tree: " + fault for fault in check_tree(root)[1]]
        for path, (text, expected) in BAD_FILES.items():
            write_tree(root, {path: text})
            faults = check_tree(root)[1]
            if len(faults) != 1 or expected not in faults[0] or not faults[0].startswith(path):
                wrong.append("%s: expected '%s', got %s" % (path, expected, faults))
            os.remove(os.path.join(root, path))
    for line in wrong:
        print(line)
    print("%d bad files tried, %d surprises" % (len(BAD_FILES), len(wrong)))
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    files, faults = check_tree(sys.argv[1])
    for fault in faults:
        print(fault)
    print("%d files read, %d faults" % (files, len(faults)))
    return 1 if faults or not files else 0


if __name__ == "__main__":
    sys.exit(main())
