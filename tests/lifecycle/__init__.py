"""The model's life, stepped through: the machines as they are deployed, the use cases as they are, AWS in memory.

`interpreter` walks a machine's definition one Task at a time, `aws` answers its Tasks, `faults` loses replies and
kills functions, `history` says what must be true of any history. A seed is a history: the same one, each time.
"""
