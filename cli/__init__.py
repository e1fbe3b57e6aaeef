"""The `turbine` command: all that people and scripts do with a stack, on AWS or the embedded cloud."""
