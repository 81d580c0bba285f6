"""Which process dies at which moment: pairs that can hit, dealt as a deck of cards."""

import random

# What a process does itself at the moment at which it dies.
TELLING = (
    ("broker", "recovery"),
    ("broker", "topic-creation"),
    ("broker", "roll"),
    ("broker", "clean"),
    ("broker", "commit"),
    ("controller", "recovery"),
    ("controller", "topic-creation"),
    ("coordinator", "recovery"),
    ("coordinator", "group-join"),
    ("coordinator", "commit"),
)
# What goes on around it. Only the broker rolls and cleans, and the coordinator makes no topics.
OTHERS = (
    ("broker", "produce"),
    ("broker", "group-join"),
    ("controller", "produce"),
    ("controller", "group-join"),
    ("controller", "commit"),
    ("coordinator", "produce"),
)


def pair_of_round(seed, round_number):
    """Each pair comes once before any of them comes again, and those that tell most come first: so
    the first ten rounds have them, whatever the seed."""
    deck, place = divmod(round_number, len(TELLING) + len(OTHERS))
    draw = random.Random(f"{seed} {deck}")
    cards = draw.sample(TELLING, len(TELLING)) + draw.sample(OTHERS, len(OTHERS))
    return cards[place]
