"""CloudWatch without a service: samples, statistics, queries, alarms, EMF; `services/cloudwatch.py` connects it."""
