#!/usr/bin/env python3
"""Plants a bug in the parameter server: plant.py SOURCE OUTPUT BUG.

Each bug is one piece of SOURCE and what replaces it. The piece must be there exactly once, so that a bug whose
place has moved is told here, and not taken for one that the histories did not find.
"""
import sys

BUGS = {
    # What comes a second time is applied a second time.
    "applied-twice": ("    if (skip == run->count)\n        return true;", "    skip = 0;"),
    # The head acknowledges before the tail has it.
    "early-ack": ("    uint64_t passed = ++ps->server->passed | pl_ps_chain_bit;\n    int waiting",
                  "    uint64_t passed = ++ps->server->passed | pl_ps_chain_bit;\n"
                  "    pl_ps_server_safe(ps, rank, id, frame);\n    rank = -1;\n    int waiting"),
    # Bounded delay lets everybody read at once.
    "no-bound": ("(uint64_t)shard->slowest + (uint64_t)ps->options.staleness >= clock", "clock < UINT32_MAX"),
    # A server that joins is not told which updates its copy has.
    "copy-forgets": ("    memcpy(shard->next, frame->bytes + head, numbers);\n", ""),
}


def main():
    source, output, bug = sys.argv[1:]
    old, new = BUGS[bug]
    text = open(source, encoding="utf-8").read()
    if text.count(old) != 1:
        sys.exit("%s: the place of the bug '%s' is there %d times" % (source, bug, text.count(old)))
    with open(output, "w", encoding="utf-8") as out:
        out.write(text.replace(old, new))


main()
