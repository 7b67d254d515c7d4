#!/usr/bin/env python3
"""Whether the documents tell the truth, as far as a program can see:

    docs.py ROOT KNOBS CC...     or     docs.py --self-test KNOBS CC...

- the table of knobs in docs/running.md is that of the library (KNOBS prints it);
- each relative link, and each path in backquotes, leads to something that is there;
- each block of C compiles against include/ (Criterion's, if Criterion is there).

The self-test spoils one thing at a time in a small tree and fails unless each is found.
"""
import os
import re
import subprocess
import sys
import tempfile

LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:src|include|tests|examples|scripts|docs)/[\w./-]*)`")
BLOCK = re.compile(r"^```c\n(.*?)^```", re.M | re.S)
ROW = re.compile(r"^\| `(PEAL_\w+)` \| (?:`([^`]*)`)? ?\| (.*) \|$", re.M)


def documents(root):
    for where in (root, os.path.join(root, "docs")):
        for name in sorted(os.listdir(where) if os.path.isdir(where) else []):
            if name.endswith(".md"):
                yield os.path.join(where, name)


def check_links(root, path, text, faults):
    for target in LINK.findall(text):
        if not os.path.exists(os.path.join(os.path.dirname(path), target)):
            faults.append("%s: a link to %s leads nowhere" % (os.path.relpath(path, root), target))
    for target in PATH.findall(text):
        if not os.path.exists(os.path.join(root, target)):
            faults.append("%s: speaks of %s, which is not there" % (os.path.relpath(path, root), target))


def check_code(root, path, text, compiler, criterion, faults):
    for block in BLOCK.findall(text):
        if "#include" not in block or ("criterion/" in block and not criterion):
            continue
        command = [*compiler, "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-fsyntax-only",
                   "-I", os.path.join(root, "include"), "-x", "c", "-"]
        done = subprocess.run(command, input=block, capture_output=True, text=True)
        if done.returncode:
            faults.append("%s: code does not compile:\n%s" % (os.path.relpath(path, root), done.stderr))


def check_knobs(root, program, faults):
    with open(os.path.join(root, "docs", "running.md"), encoding="utf-8") as file:
        written = ROW.findall(file.read())
    out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    real = [tuple(line.split("\t")) for line in out.splitlines()]
    for row in real:
        if row not in written:
            faults.append("docs/running.md lacks this knob, or has it otherwise: %s | %s | %s" % row)
    for row in written:
        if row not in real:
            faults.append("docs/running.md has a knob that is not there, or otherwise: %s | %s | %s" % row)
    if not real:
        faults.append("the library names no knobs")


def has_criterion(compiler):
    probe = subprocess.run([*compiler, "-fsyntax-only", "-x", "c", "-"], input="#include <criterion/criterion.h>\n",
                           capture_output=True, text=True)
    return probe.returncode == 0


def check_tree(root, program, compiler):
    faults, read, criterion = [], 0, has_criterion(compiler)
    for path in documents(root):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        check_links(root, path, text, faults)
        check_code(root, path, text, compiler, criterion, faults)
        read += 1
    check_knobs(root, program, faults)
    return read, faults


def self_test(program, compiler):
    rows = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    knobs = "".join("| `%s` | %s| %s |\n" % (n, "`%s` " % v if v else "", m)
                    for n, v, m in (row.split("\t") for row in rows))
    good = "see [it](running.md#knobs), [there](https://a.b/c), `docs/running.md`\n" + knobs
    bad = {
        "a link": good + "[gone](gone.md)\n",
        "speaks of": good + "`src/gone.c`\n",
        "does not compile": good + "```c\n#include <stdio.h>\nint main(void) { return x; }\n```\n",
        "lacks this knob": good.replace(knobs.splitlines(True)[0], ""),
        "otherwise: PEAL_TIMEOUT": good.replace("| `10` |", "| `11` |"),
        "not there, or otherwise": good + "| `PEAL_NEVER` | `1` | no |\n",
    }
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, "docs"))
        for expected, text in [("", good), *bad.items()]:
            with open(os.path.join(root, "docs", "running.md"), "w", encoding="utf-8") as file:
                file.write(text)
            faults = check_tree(root, program, compiler)[1]
            if bool(faults) != bool(expected) or not any(expected in fault for fault in faults or [""]):
                wrong.append("expected '%s', got %s" % (expected, faults))
    for line in wrong:
        print(line)
    print("%d bad documents tried, %d surprises" % (len(bad), len(wrong)))
    return 1 if wrong else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test(sys.argv[2], sys.argv[3:])
    read, faults = check_tree(sys.argv[1], sys.argv[2], sys.argv[3:])
    for fault in faults:
        print(fault)
    print("%d documents read, %d faults" % (read, len(faults)))
    return 1 if faults or not read else 0


if __name__ == "__main__":
    sys.exit(main())
