"""The cheapest set of makers that leads from what is given to what is wanted. Pure: it knows no envelope and no wire.

Start at `search`. `problem` says what is searched, `landmarks` bounds from below what is still to be paid, `derivation`
orders the makers that were chosen.
"""
