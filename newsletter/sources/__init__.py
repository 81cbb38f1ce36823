"""The world we read from: files, Git."""
