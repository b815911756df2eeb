"""Pictures: found, decoded, augmented, scaled, streamed."""
