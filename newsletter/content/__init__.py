"""What we say: letters as their authors write them, and everything that can be wrong with the text."""
