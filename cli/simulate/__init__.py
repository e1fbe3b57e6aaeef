"""A simulation of AWS Batch in virtual time: what a workload or a plan becomes on the cluster that carries it out.

It starts nothing and asks nothing of AWS. Which waiting job starts is decided by the very code that decides it in the
embedded AWS (`local_cloud.batch.ordering`).
"""
