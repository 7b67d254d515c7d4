#!/usr/bin/env python3
"""The library against its headers: exported_test.py LIBRARY HEADER...

Each function that the headers declare is exported, MPI_x as a weak name of PMPI_x, and
nothing called MPI_ is exported that they do not declare.

exported_test.py --names FILE LIBRARY HEADER...: each name in FILE, one a line, is declared
and exported (mpi4py's standard ABI build looks up all of its names when it starts).
Skipped (77) where there is no such file.
"""
import os
import re
import subprocess
import sys


def declared_in(headers):
    names = set()
    for header in headers:
        with open(header, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/|^#.*?$", "", file.read(), flags=re.S | re.M)
        names.update(re.findall(r"\b(P?MPIX?_\w+)\((?!\*)[^;{}]*\);", text))
        names.update(re.findall(r"extern __typeof__\(MPI_\w+\) (PMPI_\w+);", text))
    return {name for name in names if not re.search(r"_function(_c)?$", name)}


def exported_by(library):
    """Name -> (kind as nm writes it, address)."""
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True)
    rows = (line.split() for line in out.stdout.splitlines())
    return {row[2].split("@")[0]: (row[1], row[0]) for row in rows if len(row) == 3}


def check_names(path, library, headers):
    if not os.path.exists(path):
        print("skipped: there is no %s" % path)
        return 77
    with open(path, encoding="utf-8") as file:
        names = file.read().split()
    declared, exported = declared_in(headers), exported_by(library)
    wrong = ["%s is not declared" % name for name in names if name not in declared]
    wrong += ["%s is not exported" % name for name in names if name not in exported]
    print("%d names" % len(names), *wrong, sep="\n")
    return 1 if wrong or len(names) < 400 else 0


def check_all(library, headers):
    declared, exported = declared_in(headers), exported_by(library)
    wrong = ["%s is declared and not exported" % name for name in sorted(declared - set(exported))]
    wrong += ["%s is exported and not declared" % name for name in sorted(set(exported) - declared)
              if re.match(r"P?MPIX?_", name)]
    for name in sorted(declared & set(exported)):
        kind, address = exported[name]
        if name.startswith("PMPI"):
            if kind != "T":
                wrong.append("%s is of kind %s, not T" % (name, kind))
        elif kind != "W" or exported.get("P" + name, ("", ""))[1] != address:
            wrong.append("%s is not a weak name of P%s" % (name, name))
    print("%d functions declared" % len(declared), *wrong, sep="\n")
    return 1 if wrong or len(declared) < 1300 else 0


if __name__ == "__main__":
    if sys.argv[1] == "--names":
        sys.exit(check_names(sys.argv[2], sys.argv[3], sys.argv[4:]))
    sys.exit(check_all(sys.argv[1], sys.argv[2:]))
