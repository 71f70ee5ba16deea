"""One file for each kind of training: what its generator and its discriminator minimise."""
