"""Where listings come from: asked for on a schedule, parsed, and handed to the archive."""
