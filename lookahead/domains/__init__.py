"""The seven worlds' wire formats, and a generic one: how states and actions are said to a world model, and read.

`Domain` tells what one is, and how to add another in one file.
"""

from lookahead.domains.base import Domain, messages, prompted
from lookahead.domains.infer import domain_for, domains, register
from lookahead.domains.judging import Judged, judged
from lookahead.domains.prompts import load_prompts
from lookahead.domains.reading import cleaned, predicted
from lookahead.domains.turns import Turn, parse_action, parse_turn

__all__ = [
    "Domain",
    "Judged",
    "Turn",
    "cleaned",
    "domain_for",
    "domains",
    "judged",
    "load_prompts",
    "messages",
    "parse_action",
    "parse_turn",
    "predicted",
    "prompted",
    "register",
]
