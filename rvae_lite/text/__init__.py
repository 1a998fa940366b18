"""Sentences: words as integers, a grammar of known entropy, and a variational autoencoder that reads them."""
