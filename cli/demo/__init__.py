"""The demo: four teams, two rounds, on an embedded cloud of its own."""
