"""What a reader may ask for: parameters, the filter language, words, feeds with names. Reads no archive."""
