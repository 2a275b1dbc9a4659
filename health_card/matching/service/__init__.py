"""What routes and other packages may ask of the master index. Finding candidates is for jobs: see ``finding``."""

from health_card.matching.service.links import LinkView, list_links, merge_persons, unmerge_persons
from health_card.matching.service.review import (
    CardLine,
    CertificateLine,
    Match,
    MatchLine,
    Side,
    get_match,
    list_matches,
    merge_match,
    postpone_match,
    refuse_match,
    reopen_match,
)

__all__ = [
    "CardLine",
    "CertificateLine",
    "LinkView",
    "Match",
    "MatchLine",
    "Side",
    "get_match",
    "list_links",
    "list_matches",
    "merge_match",
    "merge_persons",
    "postpone_match",
    "refuse_match",
    "reopen_match",
    "unmerge_persons",
]
