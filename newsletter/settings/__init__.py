"""How one newsletter is set up: newsletter.toml and the environment."""
