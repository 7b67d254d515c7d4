#!/usr/bin/env python3
"""Whether mpi.h has the standard ABI's values: abi.py ROOT CC...

Reads the list of values in ../shared/mpi-abi.md (`NAME=VALUE` in backquotes; the
section says the prefix), prints with a small program what mpi.h makes of each
name that it declares, and compares. Skipped where the list is not at hand.
"""
import os
import re
import subprocess
import sys
import tempfile

VALUE = re.compile(r"`([^`=]+)`?=(\([^)]*\))?(-?(?:0x)?[0-9a-fA-F]+)`?")
FEWEST = 200
LAYOUT = """
#include <mpi.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
_Static_assert(sizeof(MPI_Aint) == sizeof(intptr_t), "MPI_Aint");
_Static_assert(sizeof(MPI_Count) == 8 && sizeof(MPI_Offset) == 8, "MPI_Count, MPI_Offset");
_Static_assert(sizeof(MPI_Status) == 32, "MPI_Status");
_Static_assert(offsetof(MPI_Status, MPI_SOURCE) == 0, "MPI_SOURCE");
_Static_assert(offsetof(MPI_Status, MPI_TAG) == 4, "MPI_TAG");
_Static_assert(offsetof(MPI_Status, MPI_ERROR) == 8, "MPI_ERROR");
_Static_assert(sizeof(MPI_Comm) == sizeof(void *), "handles");
"""


def prefixed(name, section):
    if section == "Error classes" and name not in ("SUCCESS", "ERR_LASTCODE"):
        return "MPI_ERR_" + name
    if section == "T errors":
        return "MPI_T_ERR_" + name
    return "MPI_" + name


def expand(name):
    """`{A,B}_C` stands for A_C and B_C."""
    match = re.match(r"^\{([^}]*)\}(.*)$", name)
    return [part + match.group(2) for part in match.group(1).split(",")] if match else [name]


def read_values(path):
    values, section = {}, ""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                section = line.strip("# \n")
            elif line.startswith("`T_ERR_*`"):
                section = "T errors"
            if section.startswith("MPI 5.0") or section in ("Types", "ABI functions (also as PMPI_)", "Library and header"):
                continue
            for name, _, value in VALUE.findall(line):
                for one in expand(name):
                    if re.match(r"^[A-Z0-9][A-Za-z0-9_]*$", one):
                        values[prefixed(one, section)] = int(value, 0)
    return {name: value for name, value in values.items() if not name.startswith("MPI_MPIX")}


def print_values(names, root, compiler):
    body = "".join('    printf("%%s %%lld\\n", "%s", (long long)(intptr_t)%s);\n' % (name, name) for name in names)
    with tempfile.TemporaryDirectory() as work:
        source, program = os.path.join(work, "a.c"), os.path.join(work, "a")
        with open(source, "w", encoding="utf-8") as file:
            file.write(LAYOUT + "int main(void)\n{\n" + body + "    return 0;\n}\n")
        subprocess.run([*compiler, "-w", "-I", os.path.join(root, "include"), source, "-o", program], check=True)
        out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return {name: int(value) for name, value in (line.split() for line in out.splitlines())}


def main():
    root, compiler = sys.argv[1], sys.argv[2:]
    path = os.path.join(os.path.dirname(os.path.abspath(root)), "shared", "mpi-abi.md")
    path = os.environ.get("ABI_LIST", path)
    if not os.path.exists(path):
        print("skipped: there is no list of values at ../shared/mpi-abi.md")
        return 77
    values = read_values(path)
    with open(os.path.join(root, "include", "mpi.h"), encoding="utf-8") as file:
        declared = set(re.findall(r"\bMPI_\w+\b", file.read()))
    found = print_values(sorted(set(values) & declared), root, compiler)
    faults = ["%s is %#x, the standard has %#x" % (name, found[name], values[name])
              for name in found if found[name] != values[name]]
    for fault in faults:
        print(fault)
    missing = sorted(set(values) - declared)
    print("%d values right, %d wrong, %d not in mpi.h: %s" % (len(found) - len(faults), len(faults), len(missing),
                                                              " ".join(missing)))
    return 1 if faults or len(found) < FEWEST else 0


if __name__ == "__main__":
    sys.exit(main())
