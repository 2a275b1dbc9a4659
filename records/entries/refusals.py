"""How filing and reading entries says no."""

from core.errors import Conflict, NotFound


class EntryNotFound(NotFound):
    code = "records.entry_not_found"
    title = "没有找到这条记录"
    detail = "No such entry that the signed-in account may see, or that this hospital filed under this identifier."


class EntryVersionDiffers(Conflict):
    status = 412
    code = "records.entry_version_differs"
    title = "记录已被更新,请读取最新版本后重试"
    detail = "If-Match names another version than the current one. Read the entry again and repeat the change on it."


class EntryOfAnotherPerson(Conflict):
    keeps_changes = True
    code = "records.entry_of_another_person"
    title = "同一记录编号已登记在另一位患者名下,已转入待处理"
    detail = (
        "An entry with this identifier was filed for another person. The message is kept in quarantine; correct the "
        "patient or the identifier and send it as a new message."
    )
