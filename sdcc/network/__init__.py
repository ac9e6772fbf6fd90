"""The Twisted shell: the only code that sees a transport."""
