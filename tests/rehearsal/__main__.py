"""`python -m tests.rehearsal`: walk the whole way, and write the transcript."""
