"""Training pairs: source, driving frame and the coarse frame between them."""
