"""What other slices and the edges of records may ask of the dictionary."""

from records.items.service.converting import convert
from records.items.service.dictionary import (
    ItemContent,
    ItemView,
    RangeContent,
    days_of_years,
    get_item,
    list_items,
    load_starting_list,
    save_item,
)
from records.items.service.judging import Judgement, Result, judge
from records.items.service.mappings import (
    MappingView,
    MappingWanted,
    end_mapping,
    list_mappings,
    map_code,
    means_item,
)
from records.items.service.work_list import (
    FOLDING_DUE,
    UnmappedView,
    fold_sightings,
    list_unmapped,
    note_sent_codes,
)

__all__ = [
    "FOLDING_DUE",
    "ItemContent",
    "ItemView",
    "Judgement",
    "MappingView",
    "MappingWanted",
    "RangeContent",
    "Result",
    "UnmappedView",
    "convert",
    "days_of_years",
    "end_mapping",
    "fold_sightings",
    "get_item",
    "judge",
    "list_items",
    "list_mappings",
    "list_unmapped",
    "load_starting_list",
    "map_code",
    "means_item",
    "note_sent_codes",
    "save_item",
]
