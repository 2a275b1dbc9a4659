"""The ethnic groups of GB/T 3304: two digits and the name."""

_NAMES = [
    "汉",
    "蒙古",
    "回",
    "藏",
    "维吾尔",
    "苗",
    "彝",
    "壮",
    "布依",
    "朝鲜",
    "满",
    "侗",
    "瑶",
    "白",
    "土家",
    "哈尼",
    "哈萨克",
    "傣",
    "黎",
    "傈僳",
    "佤",
    "畲",
    "高山",
    "拉祜",
    "水",
    "东乡",
    "纳西",
    "景颇",
    "柯尔克孜",
    "土",
    "达斡尔",
    "仫佬",
    "羌",
    "布朗",
    "撒拉",
    "毛南",
    "仡佬",
    "锡伯",
    "阿昌",
    "普米",
    "塔吉克",
    "怒",
    "乌孜别克",
    "俄罗斯",
    "鄂温克",
    "德昂",
    "保安",
    "裕固",
    "京",
    "塔塔尔",
    "独龙",
    "鄂伦春",
    "赫哲",
    "门巴",
    "珞巴",
    "基诺",
]

# 97 and 98 are not in the standard; household registration adds them.
NATIONS = {f"{number:02d}": f"{name}族" for number, name in enumerate(_NAMES, 1)} | {
    "97": "其他",
    "98": "外国血统中国籍人士",
}

# What is written beside the full name: the short one, and two groups' names of before 1986.
_CODES = (
    {name: code for code, name in NATIONS.items()}
    | {name: f"{number:02d}" for number, name in enumerate(_NAMES, 1)}
    | {"毛难族": "36", "崩龙族": "46"}
)


def find_nation_code(name: str) -> str | None:
    """The two digits of a name such as 汉族 or 汉; None when there is no such group."""
    return _CODES.get(name)
