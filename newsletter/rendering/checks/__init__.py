"""What is looked at before a letter may leave: one table of rules, the same at the desk, in CI and at the gate."""
