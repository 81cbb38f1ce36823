"""How it looks: from a letter's blocks to an edition, frozen, with a hole for everything personal."""
