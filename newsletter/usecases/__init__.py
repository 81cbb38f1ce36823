"""The verbs: what people and machines can do, told in our own words, with the world behind ports."""
