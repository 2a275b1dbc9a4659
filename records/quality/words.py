"""How the page puts the codes of quality control."""

FINDINGS = {
    "attribute_missing": "缺少必要属性",
    "laterality_missing": "未标左右",
    "no_picture": "没有图像",
    "patient_unverified": "无法核对患者",
    "series_cut": "序列不全",
    "series_gap": "序列缺号",
    "spacing_missing": "缺少像素间距",
    "study_cut": "检查不全",
}
GRADES = {"A": "甲级", "B": "乙级", "C": "丙级", "D": "废片"}
FAULTS = {
    "position": "体位",
    "exposure": "曝光或剂量",
    "artefact": "伪影",
    "coverage": "范围不足",
    "labelling": "标识错误",
    "other": "其他",
}
