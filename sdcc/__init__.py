"""SDCC, an event-driven DICOM server: it receives, keeps and gives back images."""

__version__ = "1.1.0"
