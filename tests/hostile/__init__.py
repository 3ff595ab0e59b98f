"""Bundles that mean harm, as a whole: each is analysed, says what was wrong with it, and the rest of it is still read."""
