"""From recordings of birds to spectrograms of their syllables, and back to AVA's files."""
