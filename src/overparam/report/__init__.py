"""Plain data in; HTML, JSON, terminal text and pictures out."""
