"""Data Sets as bytes (PS3.5): elements, values, text. Nothing here knows a file, message or attribute."""
