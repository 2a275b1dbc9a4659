"""How the states of orders are put for people: the word, and how it is marked."""

STATES = {
    "active": ("已申请", ""),
    "in-progress": ("检查中", ""),
    "on-hold": ("暂停", "warn"),
    "completed": ("已出报告", "good"),
    "revoked": ("已撤销", "warn"),
    "entered-in-error": ("录入有误", "bad"),
}
