"""A job that does as little as a job can."""

print("done")
