#!/usr/bin/env python3
"""Plants a bug: plant.py SOURCE OUTPUT BUG. BUG is a name in BUGS below.

Each bug is one piece of SOURCE and what replaces it. The piece must be there exactly once, so that a bug whose
place has moved is told here, and not taken for a bug that nobody found.
"""
import sys

BUGS = {
    # A synchronous send whose message came before its receive is never told that it was matched.
    "dropped-ack": ("""    pl_recv_accept(request, envelope, message->peer);
    if (message->status < 0) {""", """    struct pl_envelope silent = *envelope;
    if (silent.kind == PL_KIND_EAGER_SYNC)
        silent.kind = PL_KIND_EAGER;
    pl_recv_accept(request, &silent, message->peer);
    if (message->status < 0) {"""),
    # A receive by name overtakes one by wildcard that was posted before it.
    "wrong-order": ("any->sequence < request->sequence", "any->sequence > request->sequence"),
    # Of the messages kept for later, the latest is found first.
    "latest-first": ("""    for (struct pl_list *node = posted->next; node != posted; node = node->next) {""",
                     """    for (struct pl_list *node = posted->prev; node != posted; node = node->prev) {"""),
    # A buffer is written while a send still reads it.
    "missing-hazard": ("!(b->ignore & PL_HAZARD_WAR)", "false"),
    # A fetched message is reported to its sender before it is here.
    "early-end": ("""        if (result == PL_PENDING)
            return;
""", """        if (result == PL_PENDING) {
            struct pl_envelope fin = {.kind = PL_KIND_FIN, .cookie = envelope->cookie};
            pl_frame_send(request->rank, request->peer, &fin, NULL);
            request->remote_cookie = 0;
            return;
        }
"""),
    # In the parameter server. What comes a second time is applied a second time.
    "applied-twice": ("    if (skip == run->count)\n        return true;", "    skip = 0;"),
    # The head acknowledges before the tail has it.
    "early-ack": ("    uint64_t passed = ++ps->server->passed | pl_ps_chain_bit;\n    int waiting",
                  "    uint64_t passed = ++ps->server->passed | pl_ps_chain_bit;\n"
                  "    pl_ps_server_safe(ps, rank, id, frame);\n    rank = -1;\n    int waiting"),
    # When the chain has changed, what its new servers lack is not passed on to them.
    "not-handed-on": ("        pending->waiting = pass(ps, pending->frame, pending->passed, false);",
                      "        pending->waiting = 0;"),
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
