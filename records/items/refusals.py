"""How the dictionary says no."""

from core.errors import Conflict, Invalid, NotFound


class DictionaryItemNotFound(NotFound):
    code = "records.dictionary_item_not_found"
    title = "项目字典中没有这个项目"
    detail = "No item of the city's dictionary has this code; GET /api/v1/items lists them."


class DictionaryItemChanged(Conflict):
    code = "records.dictionary_item_changed"
    title = "这个项目刚刚被修改过,请刷新后重试"
    detail = "after_version is not the current version of the item (0: there is none yet); read it again and decide."


class UnitUnknown(Invalid):
    code = "records.unit_unknown"
    title = "单位不是 UCUM 代码"
    detail = "unit is a case sensitive UCUM code such as mmol/L, 10*9/L, U/L or [pH]; 1 for a number without a unit."


class CodeMeansAnotherItem(Conflict):
    code = "records.code_means_another_item"
    title = "这个代码已对应另一个项目"
    detail = "For all hospitals this code means another item; take it from that item first. The member `item` names it."


class CodeMappingNotFound(NotFound):
    code = "records.code_mapping_not_found"
    title = "没有找到这条对照"
    detail = "No such mapping in force that the asker may change; it may have been replaced meanwhile."


class CodeHospitalNotFound(NotFound):
    code = "records.code_hospital_not_found"
    title = "没有找到这家医疗机构"
    detail = "hospital_id names no hospital, or another one than the asker's own; a hospital maps its own codes only."
