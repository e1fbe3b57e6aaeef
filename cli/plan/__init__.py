"""`turbine plan`: the teams' runs on the shared VMs, in several ways side by side, with what no way can beat."""
