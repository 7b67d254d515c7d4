/* `peal doctor` as its users meet it: alone, under mpiexec, and with things that are really wrong. */
#include "run.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(doctor, .timeout = 120);

static struct run r;

/* Whether a line has all these words. */
static int has_line(const char *text, const char *a, const char *b, const char *c)
{
    char copy[sizeof r.out], *rest = copy;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *line; (line = strsep(&rest, "\n"));)
        if (strstr(line, a) && strstr(line, b) && strstr(line, c))
            return 1;
    return 0;
}

Test(doctor, alone)
{
    run(&r, "$PEAL doctor");
    cr_expect_eq(r.code, 0, "%s%s", r.out, r.err);
    cr_expect(has_line(r.out, "OK", "shm", "a pattern went both ways"), "%s", r.out);
    cr_expect(strstr(r.out, "0 problems"), "%s", r.out);
    cr_expect_str_eq(r.err, "");
}

Test(doctor, under_mpiexec)
{
    run(&r, "$MPIEXEC -n 3 $PEAL doctor");
    cr_expect_eq(r.code, 0, "%s%s", r.out, r.err);
    cr_expect(has_line(r.out, "OK", "shm", "each pair of 0-2: used"), "%s", r.out);
    run(&r, "PEAL_TRANSPORT=tcp $MPIEXEC -n 2 $PEAL doctor");
    cr_expect_eq(r.code, 0, "%s%s", r.out, r.err);
    cr_expect(has_line(r.out, "OK", "tcp", "0<->1: used"), "%s", r.out);
    run(&r, "$MPIEXEC -n 1 $PEAL doctor");
    cr_expect(r.code == 0 && strstr(r.out, "nobody to reach"), "%s%s", r.out, r.err);
}

Test(doctor, json)
{
    run(&r,
        "$MPIEXEC -n 3 $PEAL doctor --json | python3 -c 'import json, sys; d = json.load(sys.stdin); "
        "print(d[\"ranks\"], d[\"problems\"], sorted({f[\"level\"] for f in d[\"findings\"]} - {\"note\"}), "
        "[len(f[\"pairs\"]) for f in d[\"findings\"] if f[\"check\"] == \"shm\" and \"pairs\" in f])'");
    cr_expect_str_eq(r.out, "3 0 ['ok'] [6]\n", "%s%s", r.out, r.err);
}

Test(doctor, oversubscribed)
{
    run(&r, "taskset -c 0 $MPIEXEC -n 3 $PEAL doctor");
    cr_expect(r.code == 0 && has_line(r.out, "note", "cpus", "3 ranks share 1 CPU"), "%s%s", r.out, r.err);
}

Test(doctor, a_limit_on_file_sizes)
{
    run(&r, "ulimit -f 1000; PEAL_TIMEOUT=2 $MPIEXEC -n 2 $PEAL doctor");
    cr_expect_eq(r.code, 1, "%s%s", r.out, r.err);
    cr_expect(strstr(r.out, "mend it by: ulimit -f unlimited"), "%s", r.out);
    cr_expect(has_line(r.out, "note", "shm", "comes first in PEAL_TRANSPORT, but tcp is used"), "%s", r.out);
}

Test(doctor, few_files)
{
    run(&r, "ulimit -Sn 30; $PEAL doctor");
    cr_expect(has_line(r.out, "note", "files", "limited to 30"), "%s%s", r.out, r.err);
}

Test(doctor, no_address)
{
    run(&r, "PEAL_NET=nothere0 $PEAL doctor");
    cr_expect(has_line(r.out, "note", "net", "PEAL_NET=nothere0"), "%s%s", r.out, r.err);
    run(&r, "PEAL_NET=10.0.0.0/99 $PEAL doctor");
    cr_expect(r.code == 1 && has_line(r.out, "PROBLEM", "net", "prefix must be"), "%s%s", r.out, r.err);
}

Test(doctor, unknown_names)
{
    run(&r, "PEAL_LOGG=info $MPIEXEC -n 3 $PEAL doctor");
    cr_expect(has_line(r.out, "note", "knobs", "did you mean PEAL_LOG?"), "%s%s", r.out, r.err);
    cr_expect_str_eq(r.err, "");
    run(&r, "PEAL_TRANSPORT=shm,carrier $PEAL doctor");
    cr_expect(has_line(r.out, "note", "reach", "'carrier', which is no transport"), "%s%s", r.out, r.err);
}

Test(doctor, no_rdma)
{
    run(&r, "test -d /sys/class/infiniband && ls /sys/class/infiniband | grep . && exit 77; "
            "PEAL_TRANSPORT=shm,verbs,tcp $PEAL doctor");
    cr_expect(r.code == 77 || (r.code == 1 && has_line(r.out, "PROBLEM", "rdma", "has no RDMA device")),
              "%s%s", r.out, r.err);
}

/* A program that everybody in a job starts, and a variable that none knows: one warning. */
Test(doctor, a_job_warns_once)
{
    run(&r, "PEAL_TIMEOT=3 $MPIEXEC -n 4 $PEAL bench barrier -n 1 -t 0.0001");
    cr_expect_eq(r.code, 0);
    const char *said = strstr(r.err, "unknown variable PEAL_TIMEOT: did you mean PEAL_TIMEOUT?");
    cr_expect(said && !strstr(said + 1, "unknown variable"), "%s", r.err);
    run(&r, "PEAL_TIMEOUT=soon $MPIEXEC -n 4 $PEAL bench barrier -n 1 -t 0.0001");
    said = strstr(r.err, "PEAL_TIMEOUT=soon: cannot use this value");
    cr_expect(said && !strstr(said + 1, "PEAL_TIMEOUT=soon"), "%s", r.err);
}

/* ---- GPUs, on the double of the driver ---- */

#define ON_DOUBLE "LD_LIBRARY_PATH=$FAKECUDA_PATH:$LD_LIBRARY_PATH "

static void need_double(void)
{
    if (!getenv("FAKECUDA_PATH"))
        cr_skip_test("there is no double of the driver: no compiler of C++ when this was built");
}

Test(gpu, each_pair_by_ipc)
{
    need_double();
    run(&r, ON_DOUBLE "$MPIEXEC -n 3 $PEAL doctor");
    cr_expect_eq(r.code, 0, "%s%s", r.out, r.err);
    cr_expect(has_line(r.out, "OK", "gpu", "each pair of 0-2: IPC"), "%s", r.out);
    cr_expect(has_line(r.out, "OK", "gpu", "same process"), "%s", r.out);
    cr_expect(has_line(r.out, "OK", "gpu", "copied to the device and back"), "%s", r.out);
}

Test(gpu, why_not_ipc)
{
    need_double();
    static const char *const faults[][2] = {{"noshare", "cannot be exported"},
                                            {"nomap", "to map memory of another process"},
                                            {"othermap", "shows other bytes"}};
    for (int i = 0; i < 3; i++) {
        run(&r, ON_DOUBLE "FAKECUDA=%s $MPIEXEC -n 2 $PEAL doctor", faults[i][0]);
        cr_expect_eq(r.code, 0, "staged is slower, not broken: %s%s", r.out, r.err);
        cr_expect(has_line(r.out, "note", "staged through host memory", faults[i][1]), "%s: %s", faults[i][0],
                  r.out);
        cr_expect_not(strstr(r.out, "IPC: the peer's"), "%s", r.out);
    }
}

Test(gpu, no_device)
{
    need_double();
    run(&r, ON_DOUBLE "FAKECUDA=nodevice $PEAL doctor");
    cr_expect(has_line(r.out, "note", "gpu", "no device can be used"), "%s%s", r.out, r.err);
    run(&r, ON_DOUBLE "FAKECUDA=oom=1 $PEAL doctor");
    cr_expect(r.code == 1 && has_line(r.out, "PROBLEM", "gpu", "device memory could not be had"), "%s%s",
              r.out, r.err);
    run(&r, ON_DOUBLE "PEAL_CUDA=off $PEAL doctor");
    cr_expect(has_line(r.out, "OK", "gpu", "PEAL_CUDA=off"), "%s%s", r.out, r.err);
}
