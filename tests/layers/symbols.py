#!/usr/bin/env python3
"""What the built libraries hold: symbols.py BUILD GLOBALS, or symbols.py --self-test CC...

Fails on
- a mutable global or thread-local in a floor's static library that GLOBALS (see
  its head) does not name, or a line of GLOBALS that names nothing any more;
- a symbol that libmpi_abi.so.1 exports and is not MPI's or peal's.

Constant data with relocations (.data.rel.ro) is read-only once loaded: no global.
The self-test compiles a bad library and a bad shared object and fails unless
each fault in them is found.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

PUBLIC = re.compile(r"^(P?MPI_|P?MPIX_|peal_)\w+$")
MUTABLE = re.compile(r"^(\.l?data|\.l?bss|\*COM\*|\.tdata|\.tbss)")
# The linker's own bookmarks.
LINKER = {"_init", "_fini", "__bss_start", "_edata", "_end"}


def nm(path, *options):
    """Rows of nm's sysv format: (symbol, type, section)."""
    out = subprocess.run(["nm", "-f", "sysv", *options, path], check=True, capture_output=True, text=True)
    for line in out.stdout.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 7 and cells[0] != "Name":
            yield cells[0], cells[3], cells[6]


def mutable_symbols(path):
    """Names of what a static library keeps in writable memory; statics without their number (gcc) or function (clang)."""
    found = set()
    for name, _, section in nm(path):
        if MUTABLE.match(section) and not section.startswith(".data.rel.ro"):
            found.add(re.sub(r"\.\d+$|^\w+\.(?=[A-Za-z_])", "", name))
    return found


def exported_symbols(path):
    return {name.split("@")[0] for name, kind, _ in nm(path, "-D", "--defined-only")
            if kind in ("FUNC", "OBJECT", "TLS", "IFUNC", "NOTYPE")} - LINKER


def read_allowed(path):
    allowed = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split("#")[0].split(None, 2)
            if words:
                library, symbol, reason = words
                allowed[(library, symbol)] = reason
    return allowed


def check_library(path, allowed, used, faults):
    library = re.sub(r"^lib|\.a$", "", os.path.basename(path))
    for symbol in sorted(mutable_symbols(path)):
        if (library, symbol) in allowed:
            used.add((library, symbol))
        else:
            faults.append("%s: %s is mutable and not in tests/layers/globals.txt" % (library, symbol))


def check_shared(path, faults):
    exported = exported_symbols(path)
    for symbol in sorted(exported):
        if not PUBLIC.match(symbol):
            faults.append("%s: exports %s" % (os.path.basename(path), symbol))
    if "MPI_Init" not in exported or "PMPI_Init" not in exported:
        faults.append("%s: exports no MPI_Init or no PMPI_Init" % os.path.basename(path))
    return len(exported)


def check_build(build, globals_file):
    faults, used, allowed = [], set(), read_allowed(globals_file)
    libraries = sorted(glob.glob(os.path.join(build, "src", "*", "*.a")))
    for path in libraries:
        check_library(path, allowed, used, faults)
    there = {re.sub(r"^lib|\.a$", "", os.path.basename(path)) for path in libraries}
    for library, symbol in sorted(set(allowed) - used):
        if library in there:
            faults.append("globals.txt names %s of %s, which is no longer there" % (symbol, library))
    shared = [path for path in glob.glob(os.path.join(build, "src", "*", "libmpi_abi.so.1*"))
              if os.path.isfile(path) and not os.path.islink(path)]
    for path in shared:
        print("%s: %d symbols exported" % (os.path.basename(path), check_shared(path, faults)))
    for fault in faults:
        print(fault)
    print("%d static and %d shared libraries, %d faults" % (len(libraries), len(shared), len(faults)))
    return 1 if faults or not libraries else 0


BAD = """
static int counted;            int next_number(void) { return ++counted; }
int shared_value = 7;          static _Thread_local int mine;
int *where_mine(void) { return &mine; }
static const char *const names[] = {"a", "b"};
const char *name(int i) { return names[i]; }
static int called(void) { static int calls; return ++calls; }
int call(void) { return called(); }
static const char *current = "a";
const char *turn(void) { const char *old = current; current = names[1]; return old; }
void MPI_Init(void) {}
"""
EXPECTED = {"counted", "shared_value", "mine", "calls", "current"}


def self_test(compiler):
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        source, code = os.path.join(root, "bad.c"), os.path.join(root, "bad.o")
        library, shared = os.path.join(root, "libbad.a"), os.path.join(root, "libmpi_abi.so.1")
        with open(source, "w", encoding="utf-8") as file:
            file.write(BAD)
        subprocess.run([*compiler, "-fPIC", "-O1", "-c", source, "-o", code], check=True)
        subprocess.run(["ar", "rcs", library, code], check=True)
        subprocess.run([*compiler, "-shared", code, "-o", shared], check=True)
        if mutable_symbols(library) != EXPECTED:
            wrong.append("mutable: expected %s, found %s" % (sorted(EXPECTED), sorted(mutable_symbols(library))))
        faults, used = [], set()
        check_library(library, {("bad", "counted"): "a reason"}, used, faults)
        if len(faults) != len(EXPECTED) - 1 or used != {("bad", "counted")}:
            wrong.append("allowed: %s, %s" % (used, faults))
        faults = []
        check_shared(shared, faults)
        if not any("shared_value" in fault for fault in faults) or not any("PMPI_Init" in fault for fault in faults):
            wrong.append("exports: %s" % faults)
        if any("exports MPI_Init" in fault for fault in faults):
            wrong.append("MPI_Init is called a leak")
    for line in wrong:
        print(line)
    print("%d surprises" % len(wrong))
    return 1 if wrong else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test(sys.argv[2:] or ["cc"])
    return check_build(sys.argv[1], sys.argv[2])


if __name__ == "__main__":
    sys.exit(main())
