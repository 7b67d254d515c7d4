"""An emulated Slurm: a controller and two nodes, n1 and n2, which are hosts of a Net."""
import os
import shutil
import time

PLUGINS = "/usr/lib/x86_64-linux-gnu/slurm-wlm"

CONFIG = """
ClusterName=emulated
SlurmctldHost=n1
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
StateSaveLocation={private}/state
SlurmdSpoolDir={private}/spool
SlurmctldPidFile={private}/slurmctld.pid
SlurmdPidFile={private}/slurmd.pid
SlurmctldLogFile={work}/slurmctld.log
SlurmdLogFile={work}/slurmd-%n.log
TmpFS={private}/tmp
InactiveLimit=0
KillWait=2
MessageTimeout=30
NodeName=n1 CPUs=16 State=UNKNOWN
NodeName=n2 CPUs=16 State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def missing():
    """The program of Slurm's that is not here, or None."""
    return next((program for program in ("slurmctld", "slurmd", "srun") if not shutil.which(program)), None)


def has_pmix():
    return os.path.exists(PLUGINS + "/mpi_pmix.so")


def start(net):
    config = net.work + "/slurm.conf"
    open(config, "w").write(CONFIG.format(work=net.work, private=net["n1"].private))
    os.environ["SLURM_CONF"] = config
    for name in ("n1", "n2"):
        net[name].do("mkdir -p {0}/state {0}/spool {0}/tmp".format(net[name].private))
    log = open(net.work + "/daemons.log", "w")
    for name, command in (("n1", "slurmctld -D"), ("n1", "slurmd -D -N n1"), ("n2", "slurmd -D -N n2")):
        net[name].popen("exec " + command, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while True:
        states = net["n1"].run("sinfo -h -N -o '%N %t'").out.split("\n")
        if states[:2] == ["n1 idle", "n2 idle"]:
            return
        if time.monotonic() > deadline:
            raise RuntimeError("the nodes do not come up: %s %s" % (states, open(net.work + "/daemons.log").read()[-2000:]))
        time.sleep(0.2)
