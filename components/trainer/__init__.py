"""TFX's Trainer with channels for the vocabulary and the embedding snapshots."""
