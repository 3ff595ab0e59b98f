"""Foreign bundles made of the lab's captures: one builder per layout, each a function from a capture to files."""
