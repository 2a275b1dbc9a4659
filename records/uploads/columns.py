"""The columns of a list, and what can be wrong with a row: words for people."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: what it may be called, whether every row needs it, what the template says about it."""

    names: tuple[str, ...]
    is_needed: bool
    hint: str
    example: str = ""
    longest: int = 100


COLUMNS = {
    "report_number": Column(
        ("报告编号", "报告单号"), True, "本单位内唯一；编号相同的各行合为一份报告。更正时沿用原编号", "示例-0001", 64
    ),
    "patient_number": Column(("患者号", "门诊号", "病历号"), False, "患者号、健康卡号、证件号码至少填一项", "", 64),
    "card_number": Column(("健康卡号",), False, "64 位，可由读卡程序填入", "", 64),
    "certificate_type": Column(("证件类型",), False, "01 居民身份证（默认）、03 护照等代码", "01", 3),
    "certificate_number": Column(("证件号码", "身份证号"), False, "请先将该列设为“文本”格式", "99000019850412000X", 32),
    "name": Column(("姓名",), True, "与建卡时一致，用于核对", "示例患者", 50),
    "sex": Column(("性别",), False, "男、女，用于核对", "女", 2),
    "birth_date": Column(("出生日期",), False, "如 1985-04-12，用于核对", "1985-04-12", 20),
    "report_name": Column(("报告名称",), True, "如 血常规", "血常规"),
    "category": Column(("类别",), False, "检验（默认）、检查、其他", "检验", 4),
    "performed_at": Column(("采样时间", "检查时间"), True, "如 2026-03-05 08:30", "2026-03-05 08:30", 30),
    "issued_at": Column(("报告时间",), False, "如 2026-03-05 10:00", "2026-03-05 10:00", 30),
    "status": Column(("报告状态",), False, "正式（默认）、初步、更正、作废", "正式", 4),
    "item_code": Column(("项目代码",), False, "LOINC 或本单位代码；不填时以项目名称为准", "718-7"),
    "item_name": Column(("项目名称",), True, "每个项目一行", "血红蛋白"),
    "result": Column(("结果",), True, "数值、<0.5 一类的界值或文字", "132"),
    "unit": Column(("单位",), False, "如 g/L", "g/L", 40),
    "reference": Column(("参考范围",), False, "如 115-150", "115-150"),
    "flag": Column(("异常标志",), False, "高、低、正常，或 H、L、N", "正常", 4),
    "conclusion": Column(("结论",), False, "同一报告填一次即可", "", 4000),
}
NEEDED = [name for name, column in COLUMNS.items() if column.is_needed]
COLUMN_OF = {heard: name for name, column in COLUMNS.items() for heard in (name, *column.names)}

# What can be wrong with a row, and what to do about it.
ERRORS = {
    "missing": "必填，不能为空",
    "example": "这是模板中的示例行，请删除",
    "formula": "单元格是公式，请改为数值（复制后“选择性粘贴”为值）",
    "error_value": "单元格是错误值（如 #N/A），请更正",
    "lost_digits": "数字过长，末位已丢失；请将该列设为“文本”格式后重新填写",
    "too_long": "内容过长，请缩短",
    "bad_character": "含有不能识别的字符，请重新填写",
    "bad_date": "不是日期时间，或在将来；请写成 2026-03-05 08:30",
    "bad_word": "不是可填的内容，请按模板说明填写",
    "bad_number": "数值位数过多，请核对",
    "extra_cells": "单元格多于表头，请检查是否有多余的逗号",
    "number_missing": "患者号、健康卡号、证件号码至少填一项",
    "differs_in_report": "与同一报告编号的前面各行不一致",
    "repeated_item": "同一报告中项目重复，请删除一行",
    "person_not_matched": "号码没有对应的已建卡患者，或几个号码不是同一人；请核对或先为患者建卡",
    "person_contradicts": "姓名、性别或出生日期与该号码的持有人不符，请核对号码",
}


def column_word(name: str | None) -> str:
    """What a column is called in the template."""
    return COLUMNS[name].names[0] if name in COLUMNS else ""
