"""The fault rig: real faults on one Debian machine, as root, with no kernel module.

`disks` makes block devices whose every write and FLUSH is logged, and the states they could be in after a power cut.
`powercut` runs a workload on them, cuts it at random moments and asks the oracle what was lost. `campaign` is `make faults`.
"""
