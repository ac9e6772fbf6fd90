"""What a command lets choose, several of them between commas; types for argparse."""

from __future__ import annotations

import argparse


def names(known):
    """A parser of names of these, between commas."""

    def parsed(text):
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not in {', '.join(known)}")
        return chosen

    return parsed


def numbers(text):
    return [int(number) for number in text.split(",")]
