"""Several processes for one run, on one node or many: how they meet, watch each other and end together.

Workers find the environment that torchrun gives, so a script written for torchrun runs here unchanged. torch's own
agent is not used: it kills workers 30 s after it stops them, when a checkpoint may take 100 s; it waits for other
nodes where no SIGTERM reaches it; it ends with 1 whatever its workers said; and it does not notice a lost node.
"""
