"""The wiring: makes the real parts and hands them to the use cases. Only this room knows everyone.

One file for each group of commands, so that a command imports no more of the world than it needs.
"""
