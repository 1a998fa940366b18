"""Sentences: words as integers, a grammar of known entropy, and a VAE that reads them."""
