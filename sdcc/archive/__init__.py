"""The objects on disk: received, made durable, kept bit for bit. Nothing here knows of a database or peer."""
