"""How pages put what is sensitive and when it is released."""

SENSITIVITIES = {
    "hiv": "艾滋病相关",
    "psychiatric": "精神心理",
    "reproductive": "生殖与性健康",
    "genetic": "遗传与基因",
}
CATEGORIES = {"laboratory": "检验报告", "imaging": "影像报告与影像", "other": "其他检查报告"}
MODES = {
    "at_once": "上传后立即可见",
    "after_review": "医生审阅发布后可见",
    "with_visit": "有就诊记录的立即可见，否则须医生发布",
}
EVERYTHING, BY_CODE = "everything", "code"
# What a rule may be about, as the form's list offers it: the field's name and its value.
MATTERS = {
    EVERYTHING: "全部报告与影像",
    **{f"category:{code}": words for code, words in CATEGORIES.items()},
    **{f"sensitivity:{code}": f"敏感类 · {words}" for code, words in SENSITIVITIES.items()},
    BY_CODE: "指定报告编码（填写下方两栏）",
}
